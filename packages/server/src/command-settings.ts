import { z } from 'zod';
import type { Setting } from './system/setting-forms.ts';
import { httpAddress, isLoopback } from './system/setting-forms.ts';

/** The settings of commands alone: how to reach a running server. The server ignores them. `docs/cli.md` is written from this table. */
export const COMMAND_SETTINGS = {
  CURFEW_URL: {
    form: httpAddress
      .refine(
        (value) => new URL(value).protocol === 'https:' || isLoopback(new URL(value).hostname),
        'plain http is allowed only for loopback, because the service key is sent to this address. Set an https:// address',
      )
      .optional(),
    about: 'The address of a running server that the command calls, like --url. Needs CURFEW_SERVICE_KEY.',
  },
  CURFEW_SERVICE_KEY: {
    form: z.string().min(32, 'must be an API key of that server').optional(),
    about:
      'An API key of that server with the scope that the command needs: `admin` is enough for all. There is no option for it, because other users can see arguments.',
  },
} as const satisfies Record<string, Setting>;
