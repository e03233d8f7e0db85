// What is asked of the catalogue, spelt in one way (templates/catalogue.conf; njs 0.7.9): the name under which its answer is kept.

var MAX_PARAMETERS = 16;
// Spelt out it is up to three times as long as it came, and the next hop takes 8,000 bytes; nobody shares a page of so long a name.
var MAX_LENGTH = 2000;
var PARAMETER = /^([a-z_]+)=((?:[^%&#]|%[0-9A-Fa-f]{2})*)$/;
var PLAIN = /^[A-Za-z0-9._~-]*$/;
var ESCAPED = /%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~-]/g;
var UNRESERVED = /[A-Za-z0-9._~-]/;

// A character, or the escape of a byte, as the one escape of it (RFC 3986, 6.2.2); "+" is a blank, as in forms.
function spell(part) {
    if (part === '+') {
        return '%20';
    }
    if (part.length === 1) {
        return '%' + part.charCodeAt(0).toString(16).toUpperCase();
    }
    var character = String.fromCharCode(parseInt(part.slice(1), 16));
    return UNRESERVED.test(character) ? character : part.toUpperCase();
}

// The parameters in the order of their names; null for what a service might read in more than one way, or refuse.
function sorted(query) {
    var values = {};
    var pieces = query.split('&');
    for (var i = 0; i < pieces.length; i++) {
        var found = PARAMETER.exec(pieces[i]);
        if (found === null || values['$' + found[1]] !== undefined || i === MAX_PARAMETERS) {
            return null;
        }
        values['$' + found[1]] = PLAIN.test(found[2]) ? pieces[i] : found[1] + '=' + found[2].replace(ESCAPED, spell);
    }
    return Object.keys(values).sort().map((name) => values[name]).join('&');
}

// Path and query; "" where the request must be answered by itself.
function uri(r) {
    var path = r.variables.path.toLowerCase();
    var query = r.variables.args;
    if (!query) {
        return path;
    }
    var parameters = sorted(query);
    return parameters === null || parameters.length > MAX_LENGTH ? '' : path + '?' + parameters;
}

export default {uri};
