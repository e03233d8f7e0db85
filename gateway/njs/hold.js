// While a service is away: may this request be sent again, and when? (templates/hold.conf; njs 0.7.9.)

var MOST_WAITS = 8; // of ten internal redirects; the last leads to the problem
var MOST_SENDS = 3; // who broke that many connections is the reason itself
var IDEMPOTENT = /^(GET|HEAD|PUT|DELETE|OPTIONS)$/;

// One for each try so far. nginx separates them by ", " (addresses of one name) and " : " (redirects); "-" is nothing.
function attempts(variables) {
    var sent = variables.tried_bytes_sent.split(/ : |, /);
    return variables.tried_status.split(/ : |, /).map((status, i) => ({timedOut: status === '504', sent: Number(sent[i]) > 0}));
}

// Never sent: any request. Sent and broken off: what has the same effect twice as once. Sent and timed out: nothing.
function maySendAgain(variables, tries) {
    var last = tries[tries.length - 1];
    var sends = tries.filter((one) => one.sent).length;
    if (sends === 0) {
        return true;
    }
    var isRepeatable = IDEMPOTENT.test(variables.request_method) || variables.has_remembered_key === '1';
    return isRepeatable && sends < MOST_SENDS && !(last.sent && last.timedOut);
}

// Each wait is longer than the one before; together they are the whole time.
function nextWait(variables, now) {
    var whole = Number(variables.hold_seconds) * 1000;
    var waits = Number(variables.held) + 1;
    var left = whole - (now - Number(variables.held_since));
    return waits > MOST_WAITS ? 0 : Math.min(left, whole * waits / (MOST_WAITS * (MOST_WAITS + 1) / 2));
}

// 204: send it again now. 403: give up, it was 502. 401: give up, it was 504.
function wait(r) {
    var now = Date.now();
    var tries = attempts(r.variables);
    r.variables.held_since = r.variables.held_since || String(now);
    var milliseconds = maySendAgain(r.variables, tries) ? nextWait(r.variables, now) : 0;
    if (milliseconds > 0) {
        r.variables.held = String(Number(r.variables.held) + 1);
        setTimeout(() => r.return(204), milliseconds);
    } else {
        // With a body, which nobody reads: else nginx would turn this refusal itself into a problem.
        r.return(tries[tries.length - 1].timedOut ? 401 : 403, 'no');
    }
}

export default {wait};
