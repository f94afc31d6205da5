/** The tests in pages load the client as one script, bundled once for a run. */
import type { TestProject } from 'vitest/node';
import { bundleClient } from '../../../tools/bundle-client.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The browser client as one script. */
    clientBundle: string;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  project.provide('clientBundle', await bundleClient());
}
