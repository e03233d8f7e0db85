// Strict readers for what a stranger sends: base64url (RFC 4648, section 5, no padding) and JSON without duplicate members.
// Each throws on anything doubtful; the caller turns every exception into 401.
// The dialect is that of njs 0.7.9 (Debian 12), the oldest that the shop runs on.

// Header and payload of ours have a dozen members each.
var MAX_MEMBERS = 64;
// Tokens of ours have whole numbers only, and JSON.parse of njs takes more than JSON: 007, and 1.0 for 1.
var INTEGER = /^-?(?:0|[1-9][0-9]*)$/;
// NUL, and half of a character beyond the 65,536 first ones: njs drops or replaces them, the services refuse both.
var NO_TEXT = /\\u(?:0000|[dD][89a-fA-F])/;
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

function checkLiteral(part) {
    var first = part.charAt(0);
    if (first === '"' ? NO_TEXT.test(part) : /[-+0-9.]/.test(first) && !INTEGER.test(part)) {
        throw new Error('text or number that readers take differently');
    }
}

// JSON.parse keeps the last of two members with one name, another reader may keep the first: refuse the doubt.
function refuseDoubt(text) {
    var parts = text.match(TOKENS);
    var open = [];
    var members = 0;
    for (var i = 0; i < parts.length; i++) {
        var part = parts[i];
        checkLiteral(part);
        if (part === '{' || part === '[') {
            open.push(Object.create(null));
        } else if (part === '}' || part === ']') {
            open.pop();
        } else if (parts[i + 1] === ':') {
            var name = JSON.parse(part);
            members += 1;
            var names = open[open.length - 1];
            if (members > MAX_MEMBERS || has(names, name)) {
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
    refuseDoubt(text);
    return JSON.parse(text);
}

export default {bytes, object};
