import type { Client } from './client.ts';
import { throwRefusal } from './problem.ts';

/** Says the password again, for acts that ask for it. @param authority its address */
export async function confirmPassword(client: Client, authority: string, password: string): Promise<void> {
  const response = await client.fetch(`${authority}/v1/session/confirm`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ password }),
  });
  await throwRefusal(response);
}
