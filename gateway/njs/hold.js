// Waits for a service that is away, once for all requests that are held for it (templates/waits.conf; njs 0.7.9).

var PAUSE = 250; // ms

// 204: the service listens, send it again now. 403: it was away for the whole time. 401: it said nothing for the whole time.
function wait(r) {
    var until = Date.now() + Number(r.variables.hold_seconds) * 1000;
    var judge = (reply) => {
        if (reply.status !== 502 && reply.status !== 504) {
            r.return(204);
        } else if (Date.now() < until) {
            setTimeout(probe, PAUSE);
        } else {
            r.return(reply.status === 504 ? 401 : 403);
        }
    };
    var probe = () => r.subrequest('/probe', {method: 'HEAD'}, judge);
    setTimeout(probe, PAUSE);
}

export default {wait};
