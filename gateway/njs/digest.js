// What a token is kept and counted under, so that no token is ever written to disk. However the header is spelt, it is one token;
// however often it is renewed, it is one session.
// A script of its own, which is run once for each request that has a token: njs runs all that a script imports anew for each, and each
// text that a script takes apart costs as much as the rest of the request. nginx takes the header apart (templates/verifier.conf).

import hashes from 'crypto';

var SESSION = /"sid"\s*:\s*"([0-9a-f-]{36})"/;
var SUBJECT = /"sub"\s*:\s*"([0-9a-f-]{36})"/;

// The verdict's name, of the whole token with its signature; then session and subject as the token names them. Nobody has checked the
// signature yet: who names another's session knows its token, or is refused.
function names(r) {
    var token = r.rawVariables.bearer_token;
    var encoded = r.variables.bearer_payload || '';
    // A token of good form has a name that no header has which only looks like it.
    var hash = hashes.createHash('sha256').update(encoded === '' ? '' : 'bearer ');
    var digest = hash.update(token).digest('hex');
    var payload = Buffer.from(encoded, 'base64url').toString();
    var session = SESSION.exec(payload);
    var subject = SUBJECT.exec(payload);
    return digest + ' ' + (session === null ? digest : session[1]) + ' ' + (subject === null ? '' : subject[1]);
}

export default {names};
