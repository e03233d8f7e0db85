// Ends a request whose body takes too long to arrive (templates/body.conf; njs 0.7.9).

var FIRST_PAUSE = 5; // milliseconds; doubled each time, so the companion outlives the body by no longer than the body took
var LONGEST_PAUSE = 1000;

// Evaluated with the headers for the service, which nginx puts together when it has read the whole body.
function markArrived(r) {
    r.variables.body_has_arrived = '1';
    return '';
}

function look(r, deadline, pause) {
    var left = deadline - Date.now();
    if (r.variables.body_has_arrived === '1') {
        r.return(204);
    } else if (left <= 0) {
        // For this status nginx closes the connection, and so ends the request that waits for its body.
        r.return(408);
    } else {
        setTimeout(() => look(r, deadline, Math.min(pause * 2, LONGEST_PAUSE)), Math.min(pause, left));
    }
}

function watch(r) {
    look(r, Date.now() + Number(r.variables.body_seconds) * 1000, FIRST_PAUSE);
}

export default {markArrived, watch};
