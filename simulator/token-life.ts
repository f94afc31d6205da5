/** What one node knows of the life of access tokens, which is changed while it runs. */
export class TokenLife {
  /** Of the tokens that the node issues. */
  currentMs: number;
  /** The longest that the node has known. It never falls: tokens that live longer live on when the life is shortened. */
  longestMs: number;

  constructor(lifeMs: number) {
    this.currentMs = lifeMs;
    this.longestMs = lifeMs;
  }

  /** @returns whether tokens may live longer than before */
  learn(lifeMs: number): boolean {
    this.currentMs = lifeMs;
    const isLonger = lifeMs > this.longestMs;
    if (isLonger) this.longestMs = lifeMs;
    return isLonger;
  }
}
