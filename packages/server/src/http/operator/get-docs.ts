import { z } from '@hono/zod-openapi';
import { NOBODY } from '../../domain/caller-rule.ts';
import { serveRow } from '../contract/serve-row.ts';

const page = (publicPath: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Curfew API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${publicPath}/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="${publicPath}/docs/swagger-ui-bundle.js"></script>
<script src="${publicPath}/docs/start.js"></script>
</body>
</html>
`;
/** Everything from this server. Swagger UI sets style attributes and has its icons in data: URLs. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const getDocs = serveRow(
  {
    method: 'get',
    path: '/docs',
    operationId: 'getDocs',
    tags: ['Operation'],
    summary: 'Show this description as a page to try it',
    caller: NOBODY,
    responses: {
      200: {
        description: 'The page.',
        content: { 'text/html': { schema: z.string(), example: '<!doctype html>…' } },
      },
    },
  },
  ({ c, world }) => c.html(page(world.config.publicPath), 200, { 'content-security-policy': PAGE_POLICY }),
);
