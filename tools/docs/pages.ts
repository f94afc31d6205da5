import type { Environment } from '../../packages/server/src/config.ts';
import { createAuthority } from '../../packages/server/src/authority.ts';
import { renderCommandReference } from '../../packages/server/src/cli/reference.ts';
import { createLog } from '../../packages/server/src/system/log.ts';
import { pagesWithFigures } from './benchmark-block.ts';
import { type Description, httpPage } from './http-page.ts';
import { scalePage } from './scale-block.ts';
import { settingsPage } from './settings-page.ts';

/** The pages that are generated from the code, by their paths from the repository's root. @param place an empty database, in settings */
export async function writtenPages(place: Environment): Promise<Record<string, string>> {
  return {
    ...pagesWithFigures(),
    'docs/scale.md': scalePage(),
    'docs/settings.md': settingsPage(),
    'docs/cli.md': renderCommandReference(),
    'docs/http.md': httpPage(await describe(place)),
  };
}

/** Asks a server with default settings for its description. */
async function describe(place: Environment): Promise<Description> {
  const authority = await createAuthority({
    settings: place,
    log: createLog('silent'),
  });
  try {
    const answer = await authority.fetch(new Request('http://localhost:8000/openapi.json'));
    return (await answer.json()) as Description;
  } finally {
    await authority.close();
  }
}
