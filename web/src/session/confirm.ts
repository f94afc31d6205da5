import type { Client } from './client.ts';
import { throwRefusal } from './problem.ts';

/** Confirms the password, for acts that require it. @param authority its address */
export async function confirmPassword(client: Client, authority: string, password: string): Promise<void> {
  const response = await client.fetch(`${authority}/v1/session/confirm`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ password }),
  });
  await throwRefusal(response);
}
