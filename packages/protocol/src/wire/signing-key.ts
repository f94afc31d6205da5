/** A signing key as the administration shows it. Instants are ISO 8601, UTC. */
export interface SigningKey {
  kid: string;
  alg: string;
  created_at: string;
  signs_from: string;
  state: 'published' | 'signing' | 'kept' | 'retired';
}
