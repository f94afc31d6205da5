import type { Endpoint } from '../contract/family.ts';
import { deleteApiKey } from './delete-api-keys-id.ts';
import { deleteUser } from './delete-users-id.ts';
import { getApiKeys } from './get-api-keys.ts';
import { deleteClientById } from './delete-clients-id.ts';
import { getClients } from './get-clients.ts';
import { getClient } from './get-clients-id.ts';
import { patchClient } from './patch-clients-id.ts';
import { postClient } from './post-clients.ts';
import { getEvents } from './get-events.ts';
import { getKeys } from './get-keys.ts';
import { getSessions } from './get-sessions.ts';
import { getState } from './get-state.ts';
import { getUsers } from './get-users.ts';
import { getUser } from './get-users-id.ts';
import { patchUser } from './patch-users-id.ts';
import { postApiKey } from './post-api-keys.ts';
import { postKeysRotate } from './post-keys-rotate.ts';
import { postLogout } from './post-logout.ts';
import { postSession } from './post-sessions.ts';
import { postUser } from './post-users.ts';
import { postUserPassword } from './post-users-id-password.ts';

/** The administration: for administrators’ sessions and for service keys. */
export const ADMIN_ENDPOINTS: readonly Endpoint[] = [
  getUsers,
  postUser,
  getUser,
  patchUser,
  deleteUser,
  postUserPassword,
  getSessions,
  postSession,
  postLogout,
  getState,
  getClients,
  postClient,
  getClient,
  patchClient,
  deleteClientById,
  getEvents,
  getApiKeys,
  postApiKey,
  deleteApiKey,
  getKeys,
  postKeysRotate,
];
