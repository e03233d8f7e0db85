// Headers that a write depends on (templates/checks.conf; njs 0.7.9).

var ONCE = /^(content-type|idempotency-key|if-match|if-none-match)$/;
var MAY_BE_EMPTY = 'content-type'; // as good as none: the service says what it accepts

// The name of one that came twice, or with nothing in it; "" when there is none. (nginx's variables show the first, or an empty text.)
function doubtful(r) {
    var seen = {};
    var found = '';
    r.rawHeadersIn.forEach((pair) => {
        var name = pair[0].toLowerCase();
        var isEmpty = pair[1].trim() === '' && name !== MAY_BE_EMPTY;
        if (ONCE.test(name) && (seen[name] || isEmpty)) {
            found = name;
        }
        seen[name] = true;
    });
    return found;
}

export default {doubtful};
