// Strict readers for what a stranger sends: base64url (RFC 4648, section 5, no padding) and JSON without duplicate members.
// Each throws on anything doubtful; the caller turns every exception into 401.
// The dialect is njs 0.7.9 (see README, "The njs dialect").

// Header and payload of ours have a dozen members each.
var MOST_MEMBERS = 64;
var TOKENS = /"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+/g;

function bytes(text) {
    if (!/^[A-Za-z0-9_-]+$/.test(text)) {
        throw new Error('not base64url');
    }
    var decoded = Buffer.from(text, 'base64url');
    if (decoded.toString('base64url') !== text) {
        throw new Error('not canonical base64url');
    }
    return decoded;
}

function utf8(buffer) {
    var text = buffer.toString('utf8');
    if (!Buffer.from(text, 'utf8').equals(buffer)) {
        throw new Error('not UTF-8');
    }
    return text;
}

function has(names, name) {
    return Object.prototype.hasOwnProperty.call(names, name);
}

// JSON.parse keeps the last of two members with one name, another reader may keep the first: refuse the doubt.
function refuseDuplicates(text) {
    var parts = text.match(TOKENS);
    var open = [];
    var members = 0;
    for (var i = 0; i < parts.length; i++) {
        var part = parts[i];
        if (part === '{' || part === '[') {
            open.push(Object.create(null));
        } else if (part === '}' || part === ']') {
            open.pop();
        } else if (parts[i + 1] === ':') {
            var name = JSON.parse(part);
            members += 1;
            var names = open[open.length - 1];
            if (members > MOST_MEMBERS || has(names, name)) {
                throw new Error('duplicate member, or too many');
            }
            names[name] = true;
        }
    }
}

function object(buffer) {
    var text = utf8(buffer);
    if (text.charAt(0) !== '{') {
        throw new Error('not a JSON object');
    }
    refuseDuplicates(text);
    return JSON.parse(text);
}

export default {bytes, object};
