// The token check: 204 good, 401 bad, 403 cannot be judged (no key set was ever had; the gateway makes that 503).
// auth_request knows no other refusals than 401 and 403.

import digests from 'crypto';
import encoding from 'encoding.js';
import claims from 'claims.js';
import keys from 'keys.js';

var VERDICT_SECONDS = 30;
var CREDENTIALS = /^bearer ([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/i;

// Kept verdicts are found under this, so that no token is ever written to disk.
function digest(r) {
    return digests.createHash('sha256').update(r.headersIn.Authorization).digest('hex');
}

function parse(credentials) {
    var parts = CREDENTIALS.exec(credentials);
    if (parts === null) {
        throw new Error('not a bearer token');
    }
    var signature = encoding.bytes(parts[3]);
    if (signature.length !== 64) {
        throw new Error('not an ES256 signature');
    }
    return {
        header: encoding.object(encoding.bytes(parts[1])),
        claims: encoding.object(encoding.bytes(parts[2])),
        signed: Buffer.from(parts[1] + '.' + parts[2]),
        signature: signature,
    };
}

function refuse(r, status, fault) {
    r.headersOut['X-Token-Fault'] = fault;
    r.return(status, '');
}

async function isSigned(token, key) {
    const imported = await crypto.subtle.importKey('spki', Buffer.from(key.spki, 'base64'),
                                                   {name: 'ECDSA', namedCurve: 'P-256'}, false, ['verify']);
    const good = await crypto.subtle.verify({name: 'ECDSA', hash: 'SHA-256'}, imported, token.signature, token.signed);
    return good;
}

async function judge(r) {
    const token = parse(r.headersIn.Authorization);
    const headerFault = claims.headerFault(token.header);
    if (headerFault !== '') {
        return refuse(r, 401, headerFault);
    }
    const key = await keys.find(r, token.header.kid);
    if (key === undefined) {
        return refuse(r, 403, 'keys_unavailable');
    }
    if (key === null) {
        return refuse(r, 401, 'key');
    }
    const signed = await isSigned(token, key);
    if (!signed) {
        return refuse(r, 401, 'signature');
    }
    const now = Date.now() / 1000;
    const fault = claims.claimsFault(token.claims, r.variables.token_issuer, r.variables.token_audience, now);
    if (fault !== '') {
        return refuse(r, 401, fault);
    }
    r.headersOut['X-Accel-Expires'] = String(Math.max(0, Math.min(VERDICT_SECONDS, claims.secondsLeft(token.claims, now))));
    r.return(204, '');
}

async function verify(r) {
    try {
        await judge(r);
    } catch (error) {
        refuse(r, 401, 'malformed');
    }
}

export default {digest, verify, fetchKeys: keys.fetchKeys};
