// Kept verdicts are found under this, so that no token is ever written to disk.
// A script of its own: njs runs all that a script imports anew for each request, and this one runs for each that has a token.

import hashes from 'crypto';

function authorization(r) {
    return hashes.createHash('sha256').update(r.rawVariables.http_authorization).digest('hex');
}

export default {authorization};
