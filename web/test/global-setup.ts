/** The page tests use the server's build of the pages, which is rebuilt when its sources change. */
import { buildStalePages } from '../../tools/build-pages.ts';

export default async function setup(): Promise<void> {
  await buildStalePages();
}
