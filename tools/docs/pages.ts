import { createAuthority } from '../../packages/server/src/authority.ts';
import { renderCommandReference } from '../../packages/server/src/cli/reference.ts';
import { createLog } from '../../packages/server/src/system/log.ts';
import { readmeWithFigures } from './benchmark-block.ts';
import { type Description, httpPage } from './http-page.ts';
import { scalePage } from './scale-block.ts';
import { settingsPage } from './settings-page.ts';

/** The pages that come out of the code, by their paths from the repository's root. */
export async function writtenPages(scratch: string): Promise<Record<string, string>> {
  return {
    'README.md': readmeWithFigures(),
    'docs/scale.md': scalePage(),
    'docs/settings.md': settingsPage(),
    'docs/cli.md': renderCommandReference(),
    'docs/http.md': httpPage(await describe(scratch)),
  };
}

/** Asks a server with every default for its own description. */
async function describe(scratch: string): Promise<Description> {
  const authority = await createAuthority({
    settings: { CURFEW_DATA: scratch, CURFEW_EMBEDDED_FSYNC: '0' },
    log: createLog('silent'),
  });
  try {
    const answer = await authority.fetch(new Request('http://localhost:8000/openapi.json'));
    return (await answer.json()) as Description;
  } finally {
    await authority.close();
  }
}
