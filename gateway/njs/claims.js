// What an access token must say (docs/architecture.md, "Identity"). The services check the same: their numbers are in
// servicekit/auth/token_rules.py, and tests/repository compares them.

var LEEWAY_SECONDS = 5;
var LONGEST_LIFE_SECONDS = 300;
var MAX_KEY_ID_LENGTH = 128;
var MAX_TEXT_LENGTH = 255;
// The only role of a machine client; no person has it.
var MACHINE = 'machine';
var SCOPES = /^[a-z:_-]+(?: [a-z:_-]+)*$/;
var UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
// Each of these asks the reader to trust or do something the header's writer chose.
var FORBIDDEN_HEADERS = ['crit', 'b64', 'zip', 'enc', 'jku', 'jwk', 'x5u', 'x5c', 'x5t', 'x5t#S256'];

function filled(value) {
    return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT_LENGTH;
}

// The length, because $ matches before a line break at the end, too.
function isId(value) {
    return typeof value === 'string' && value.length === 36 && UUID.test(value);
}

function seconds(value) {
    return typeof value === 'number' && value > 0 && Math.floor(value) === value && value <= 9007199254740991;
}

function has(object, name) {
    return Object.prototype.hasOwnProperty.call(object, name);
}

function headerFault(header) {
    if (header.alg !== 'ES256') {
        return 'algorithm';
    }
    if (header.typ !== 'at+jwt') {
        return 'type';
    }
    if (!filled(header.kid) || header.kid.length > MAX_KEY_ID_LENGTH) {
        return 'key';
    }
    return FORBIDDEN_HEADERS.some((name) => has(header, name)) ? 'header' : '';
}

function audienceNames(audience, expected) {
    if (Array.isArray(audience)) {
        return audience.indexOf(expected) !== -1 && audience.every(filled);
    }
    return audience === expected;
}

function timeFault(claims, now) {
    if (!seconds(claims.exp) || !seconds(claims.iat) || !seconds(claims.nbf)) {
        return 'time';
    }
    if (claims.exp + LEEWAY_SECONDS <= now) {
        return 'expired';
    }
    if (claims.iat > now + LEEWAY_SECONDS || claims.nbf > now + LEEWAY_SECONDS) {
        return 'not_yet_valid';
    }
    return claims.exp - claims.iat > LONGEST_LIFE_SECONDS || claims.exp <= claims.iat ? 'time' : '';
}

// A machine client names itself twice and has its scopes, and no role beside its own; a person has none of these, whatever `scope` says.
// (SCOPES would fit before a line break at the end, too.)
function clientFault(claims) {
    if (!has(claims, 'client_id')) {
        return claims.roles.indexOf(MACHINE) === -1 ? '' : 'client';
    }
    var isAlone = claims.roles.length === 1 && claims.roles[0] === MACHINE;
    var hasScopes = filled(claims.scope) && SCOPES.test(claims.scope) && claims.scope.indexOf('\n') === -1;
    return isAlone && hasScopes && claims.client_id === claims.sub ? '' : 'client';
}

function claimsFault(claims, issuer, audience, now) {
    if (claims.iss !== issuer) {
        return 'issuer';
    }
    if (!audienceNames(claims.aud, audience)) {
        return 'audience';
    }
    if (!isId(claims.sub) || !isId(claims.sid) || !filled(claims.jti)) {
        return 'subject';
    }
    if (!Array.isArray(claims.roles) || !claims.roles.every(filled)) {
        return 'roles';
    }
    return clientFault(claims) || timeFault(claims, now);
}

// A kept verdict must die with its token, and a kept answer lives until the end of its last second: hence the 1.
function secondsLeft(claims, now) {
    return Math.floor(claims.exp + LEEWAY_SECONDS - now) - 1;
}

export default {headerFault, claimsFault, secondsLeft};
