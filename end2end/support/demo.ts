// What the demo server is started with, and who lives in it.
// A port below the ephemeral range, so that no client's own port collides with it.
export const ADDRESS = 'http://127.0.0.1:21817';
export const DEMO_PASSWORD = 'a password for tests only';
export const DEMO_KEY = `clk_${'e2e0'.repeat(16)}`;
export const PROJECT = '/p/demo';

export type Role = 'viewer' | 'editor' | 'approver' | 'admin';
export const ROLES: Role[] = ['viewer', 'editor', 'approver', 'admin'];
export const email = (role: Role) => `${role}@demo.local`;
