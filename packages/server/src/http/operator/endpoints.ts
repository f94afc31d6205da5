import type { Endpoint } from '../contract/family.ts';
import { getDocs } from './get-docs.ts';
import { getHealth } from './get-healthz.ts';
import { getMetrics } from './get-metrics.ts';
import { getDescription } from './get-openapi-json.ts';
import { getReadiness } from './get-readyz.ts';
import { getPublicKeys } from './get-well-known-jwks-json.ts';
import { getMetadata } from './get-well-known-oauth-authorization-server.ts';

/** For operators and other programs: health, metrics, keys, the description of the API. */
export const OPERATOR_ENDPOINTS: readonly Endpoint[] = [
  getHealth,
  getReadiness,
  getMetrics,
  getPublicKeys,
  getMetadata,
  getDescription,
  getDocs,
];
