// The token check: 204 good, 401 bad, 403 cannot be judged (no key set was ever had; the gateway makes that 503).
// auth_request knows no other refusals than 401 and 403.

import encoding from 'encoding.js';
import claims from 'claims.js';
import keys from 'keys.js';

var VERDICT_SECONDS = 30;
var KEYS_UNAVAILABLE = 'keys_unavailable';
// Ours have about 600. What is longer is refused before anything of it is read.
var MAX_TOKEN_CHARACTERS = 4096;
var CREDENTIALS = /^bearer ([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/i;

function parse(credentials) {
    if (credentials.length > MAX_TOKEN_CHARACTERS) {
        throw new Error('too long');
    }
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

function refuse(r, fault) {
    r.headersOut['X-Token-Fault'] = fault;
    r.return(fault === KEYS_UNAVAILABLE ? 403 : 401, '');
}

async function isSigned(token, key) {
    const imported = await crypto.subtle.importKey('spki', Buffer.from(key.spki, 'base64'),
                                                   {name: 'ECDSA', namedCurve: 'P-256'}, false, ['verify']);
    const good = await crypto.subtle.verify({name: 'ECDSA', hash: 'SHA-256'}, imported, token.signature, token.signed);
    return good;
}

// The fault of the header and the signature, '' when there is none.
async function signatureFault(r, token) {
    const fault = claims.headerFault(token.header);
    if (fault !== '') {
        return fault;
    }
    const key = await keys.find(r, token.header.kid);
    if (key === undefined) {
        return KEYS_UNAVAILABLE;
    }
    if (key === null) {
        return 'key';
    }
    const signed = await isSigned(token, key);
    return signed ? '' : 'signature';
}

async function judge(r) {
    const token = parse(r.headersIn.Authorization);
    const now = Date.now() / 1000;
    const signatureRefused = await signatureFault(r, token);
    const fault = signatureRefused || claims.claimsFault(token.claims, r.variables.token_issuer, r.variables.token_audience, now);
    if (fault !== '') {
        refuse(r, fault);
        return;
    }
    const seconds = Math.min(VERDICT_SECONDS, claims.secondsLeft(token.claims, now));
    r.headersOut['X-Accel-Expires'] = String(Math.max(0, seconds));
    r.return(204, '');
}

async function verify(r) {
    try {
        await judge(r);
    } catch (error) {
        refuse(r, 'malformed');
    }
}

export default {verify, fetchKeys: keys.fetchKeys, ready: keys.ready};
