// What a token is kept and counted under, so that no token is ever written to disk. However the header is spelt, it is one token;
// however often it is renewed, it is one session.
// A script of its own: njs runs all that a script imports anew for each request, and this one runs for each that has a token.

import hashes from 'crypto';

var CREDENTIALS = /^bearer ([A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+)$/i;
var SESSION = /"sid"\s*:\s*"([0-9a-f-]{36})"/;
var SUBJECT = /"sub"\s*:\s*"([0-9a-f-]{36})"/;

function sha256(text) {
    return hashes.createHash('sha256').update(text).digest('hex');
}

// The verdict's name: of the whole token, its signature included.
function token(r) {
    var header = r.rawVariables.authorization;
    var parts = CREDENTIALS.exec(header);
    return sha256(parts === null ? header : 'bearer ' + parts[1]);
}

// Session and subject as the token names them, with a blank between. Nobody has checked the signature yet: who names another's session
// knows its token, or is refused.
function bearer(r) {
    var parts = CREDENTIALS.exec(r.rawVariables.authorization);
    var payload = parts === null ? '' : Buffer.from(parts[2], 'base64url').toString();
    var session = SESSION.exec(payload);
    var subject = SUBJECT.exec(payload);
    return (session === null ? r.variables.token_digest : session[1]) + ' ' + (subject === null ? '' : subject[1]);
}

export default {token, bearer};
