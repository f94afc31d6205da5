/** The tests of the pages look at what the server serves: it is built anew when its sources are others. */
import { buildStalePages } from '../../tools/build-pages.ts';

export default async function setup(): Promise<void> {
  await buildStalePages();
}
