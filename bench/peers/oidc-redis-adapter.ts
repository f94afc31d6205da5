import type { Adapter, AdapterPayload } from 'oidc-provider';
import { createClient } from 'redis';

/** Models that belong to a grant and end with it. */
const OF_A_GRANT = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken', 'DeviceCode']);

/** oidc-provider's adapter for Redis, as in its own example: a key for each object, and a list of keys per grant. */
export async function redisAdapter(url: string): Promise<new (model: string) => Adapter> {
  const client = createClient({ url });
  await client.connect();
  return class implements Adapter {
    readonly #model: string;

    constructor(model: string) {
      this.#model = model;
    }

    #key(id: string): string {
      return `oidc:${this.#model}:${id}`;
    }

    async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void> {
      const key = this.#key(id);
      const write = client.multi().set(key, JSON.stringify(payload));
      if (expiresIn) write.expire(key, expiresIn);
      if (payload.grantId !== undefined && OF_A_GRANT.has(this.#model)) {
        const grant = `oidc:grant:${payload.grantId}`;
        write.rPush(grant, key).expire(grant, expiresIn);
      }
      await write.exec();
    }

    async find(id: string): Promise<AdapterPayload | undefined> {
      const text = await client.get(this.#key(id));
      return text === null ? undefined : (JSON.parse(text) as AdapterPayload);
    }

    async destroy(id: string): Promise<void> {
      await client.del(this.#key(id));
    }

    async revokeByGrantId(grantId: string): Promise<void> {
      const grant = `oidc:grant:${grantId}`;
      const keys = await client.lRange(grant, 0, -1);
      await client.del([...keys, grant]);
    }

    async consume(): Promise<void> {}
    async findByUserCode(): Promise<undefined> {}
    async findByUid(): Promise<undefined> {}
  };
}
