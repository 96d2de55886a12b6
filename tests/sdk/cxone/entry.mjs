export { CXoneAuth } from '@nice-devone/auth-sdk';
export { ACDSessionManager } from '@nice-devone/core-sdk';
export { CXoneLeaderElector } from '@nice-devone/common-sdk';
