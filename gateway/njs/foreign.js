// Errors that somebody below a service's code wrote (its server, a proxy on the way) become the gateway's (templates/foreign.conf; njs 0.7.9).

var PROBLEM = 'application/problem+json';
var OF_A_PROBLEM = {'Retry-After': 'retry_after', 'WWW-Authenticate': 'challenge', Allow: 'allow'};
var OF_THE_BODY = ['Content-Length', 'Content-Encoding', 'Content-Language', 'Content-Disposition', 'ETag', 'Last-Modified'];

function isForeign(r) {
    return r.status >= 400 && (r.variables.upstream_http_content_type || '').split(';')[0] !== PROBLEM;
}

function headers(r) {
    if (!isForeign(r)) {
        return;
    }
    OF_THE_BODY.forEach((name) => {
        delete r.headersOut[name];
    });
    Object.keys(OF_A_PROBLEM).forEach((name) => {
        r.headersOut[name] = r.headersOut[name] || r.variables[OF_A_PROBLEM[name]];
    });
    r.headersOut['Content-Type'] = PROBLEM;
}

function body(r, data, flags) {
    if (!isForeign(r)) {
        r.sendBuffer(data, flags);
        r.done();
    } else if (flags.last) {
        r.sendBuffer(r.variables.problem, flags);
    }
}

export default {headers, body};
