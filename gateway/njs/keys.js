// The key set, as the verifier wants it: fetched from users, checked, each key as a ready SPKI.
// Each key carries when users was asked, so that a set that nobody has refreshed is noticed.
// A bad answer (HTML, empty, no usable key) becomes 502, so that the cache in front goes on with the last good set.

// DER of SubjectPublicKeyInfo for P-256 up to the point: njs 0.7.9 imports ECDSA keys in no other form.
var P256_SPKI_PREFIX = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200' + '04', 'hex');

// A cache serves a set of any age to the first request after a quiet time. One of this age is not believed before users was asked again:
// a withdrawn key must be refused in time.
var TOO_OLD_SECONDS = 20;

import encoding from 'encoding.js';

function spki(key) {
    var x = encoding.bytes(key.x);
    var y = encoding.bytes(key.y);
    if (x.length !== 32 || y.length !== 32) {
        throw new Error('not a P-256 point');
    }
    return Buffer.concat([P256_SPKI_PREFIX, x, y]).toString('base64');
}

function isSigningKey(key) {
    return key !== null && typeof key === 'object' && key.kty === 'EC' && key.crv === 'P-256' && typeof key.kid === 'string'
        && key.kid !== '' && (key.alg === undefined || key.alg === 'ES256') && (key.use === undefined || key.use === 'sig');
}

function usableKeys(text, askedAt) {
    var listed = JSON.parse(text).keys.filter(isSigningKey);
    var usable = listed.map((key) => ({kid: key.kid, spki: spki(key), askedAt: askedAt}));
    if (usable.length === 0) {
        throw new Error('no usable key');
    }
    return usable;
}

async function fetchKeys(r) {
    try {
        const askedAt = Date.now() / 1000;
        const reply = await r.subrequest('/from-users');
        if (reply.status !== 200) {
            throw new Error('users answered ' + reply.status);
        }
        const keys = JSON.stringify(usableKeys(reply.responseText, askedAt));
        r.headersOut['Content-Type'] = 'application/json';
        r.return(200, keys);
    } catch (error) {
        r.warn('the key set cannot be used: ' + error.message);
        r.return(502, '');
    }
}

async function keysAt(r, location) {
    const reply = await r.subrequest(location);
    return reply.status === 200 ? JSON.parse(reply.responseText) : null;
}

function withId(keys, kid) {
    var found = keys === null ? [] : keys.filter((key) => key.kid === kid);
    return found.length === 0 ? null : found[0];
}

// Keys that an older release has kept do not say when users was asked: they are not recent.
function isRecent(key) {
    return Math.abs(Date.now() / 1000 - key.askedAt) < TOO_OLD_SECONDS;
}

// What users says of a key that is not in the set, or not in one that can be believed: null when it says nothing.
async function askedKeys(r) {
    const remembered = await keysAt(r, '/keys/asked');
    if (remembered === null || isRecent(remembered[0])) {
        return remembered;
    }
    const answer = await keysAt(r, '/keys/answer');
    return answer;
}

// Returns the key, null when no such key exists, undefined when no key set was ever had.
async function find(r, kid) {
    const current = await keysAt(r, '/keys/current');
    const known = withId(current, kid);
    if (known !== null && isRecent(known)) {
        return known;
    }
    const asked = await askedKeys(r);
    if (current === null && asked === null) {
        return undefined;
    }
    // Without an answer from users, the last good set stands however old it is.
    return asked === null ? known : withId(asked, kid);
}

// 200 once a key set was had, whatever becomes of users from then on.
async function ready(r) {
    const current = await keysAt(r, '/keys/current');
    r.headersOut['Content-Type'] = 'application/json';
    r.return(current === null ? 503 : 200, current === null ? '' : '{"status": "ok"}');
}

export default {fetchKeys, find, ready};
