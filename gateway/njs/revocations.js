// What users has revoked, for the scripts and for nginx itself: a file for each session, named by its id, and a file for each
// account whose sessions all ended, named by its id and holding the moment before which they began
// (docs/adr/0095-the-gateway-knows-revoked-sessions.md). nginx looks for the files at each request (nginx.conf).
// The dialect is that of njs 0.7.9, which has neither shared memory nor timers of its own.

import fs from 'fs';

// The list is believed for so long. One of that age is asked for again before a token is accepted, unless users did not answer.
var TOO_OLD_SECONDS = 3;
// After this, users is asked and waited for again, though it did not answer before.
var FAILURE_SECONDS = 10;
// No token of a session lives longer than this after its end (servicekit.auth.revocations.KEEP).
var KEEP_SECONDS = 310;
var ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
// UTC, to the microsecond at most; Date.parse of njs takes no other offset than Z.
var MOMENT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:Z|\+00:00)$/;

function isFile(path) {
    try {
        fs.accessSync(path);
        return true;
    } catch (error) {
        return false;
    }
}

// Makes an empty file of that name in the folder, and removes all others.
function leaveOnly(folder, name) {
    var others = fs.readdirSync(folder).filter((each) => each !== name);
    fs.writeFileSync(folder + '/' + name, '');
    others.forEach((each) => {
        try {
            fs.unlinkSync(folder + '/' + each);
        } catch (error) {
            // Another worker was quicker.
        }
    });
}

function milliseconds(moment) {
    var parts = MOMENT.exec(moment);
    var found = parts === null ? NaN : Date.parse(parts[1] + '.' + ((parts[2] || '') + '000').slice(0, 3) + 'Z');
    if (isNaN(found)) {
        throw new Error('a moment is none');
    }
    return found;
}

function isId(value) {
    return typeof value === 'string' && value.length === 36 && ID.test(value);
}

// One row of the list as a file's name and text.
function mark(row) {
    if (row === null || typeof row !== 'object' || !isId(row.subject) || !(row.session === null || isId(row.session))) {
        throw new Error('a row is none');
    }
    var before = milliseconds(row.before);
    return row.session === null ? {name: row.subject, before: before} : {name: row.session, before: null};
}

function answerOf(text) {
    var answer = JSON.parse(text);
    if (answer === null || typeof answer.horizon !== 'number' || answer.horizon < 0 || !Array.isArray(answer.revoked)) {
        throw new Error('not a list');
    }
    return {horizon: answer.horizon, marks: answer.revoked.map(mark)};
}

// The moment that the file of an account holds. A file that cannot be read, or is half written, ends them all.
function momentIn(path) {
    try {
        var text = fs.readFileSync(path).toString();
        return /^\d+$/.test(text) ? Number(text) : Infinity;
    } catch (error) {
        return Infinity;
    }
}

function write(folder, marks) {
    marks.forEach((each) => {
        var path = folder + '/' + each.name;
        if (each.before === null) {
            fs.writeFileSync(path, '');
        } else if (!isFile(path) || momentIn(path) < each.before) {
            fs.writeFileSync(path, String(each.before));
        }
    });
}

function dropExpired(folder) {
    fs.readdirSync(folder).forEach((each) => {
        var path = folder + '/' + each;
        if (Date.now() - fs.statSync(path).mtimeMs > KEEP_SECONDS * 1000) {
            fs.unlinkSync(path);
        }
    });
}

async function ask(r, horizon) {
    const reply = await r.subrequest('/revoked-at-users', {args: 'since=' + horizon});
    if (reply.status !== 200) {
        throw new Error('users answered ' + reply.status);
    }
    return answerOf(reply.responseText);
}

// Takes over what is new to the gateway.
async function follow(r) {
    const horizons = r.variables.revoked_dir + '/horizon';
    const known = fs.readdirSync(horizons).reduce((highest, name) => Math.max(highest, Number(name) || 0), 0);
    let answer = await ask(r, known);
    if (answer.horizon < known) {
        // The ids of transactions have gone back: users' database was restored.
        answer = await ask(r, 0);
    }
    const marks = r.variables.revoked_dir + '/marks';
    write(marks, answer.marks);
    if (answer.horizon !== known) {
        leaveOnly(horizons, String(answer.horizon));
    }
    if (Math.floor(Date.now() / 1000) % 60 < 3) {
        dropExpired(marks);
    }
}

// Asks, and leaves a file that says in which second that was and whether users told.
async function tell(r) {
    let heard = Math.floor(Date.now() / 1000) + '.told';
    try {
        await follow(r);
    } catch (error) {
        r.warn('the revocations cannot be read: ' + error.message);
        heard = Math.floor(Date.now() / 1000) + '.silent';
    }
    leaveOnly(r.variables.heard_dir, heard);
    r.return(200, '');
}

function isRecent(heard) {
    var parts = heard.split('.');
    return Math.abs(Date.now() / 1000 - Number(parts[0])) < (parts[1] === 'told' ? TOO_OLD_SECONDS : FAILURE_SECONDS);
}

// Once a second: has users asked in nobody's way, or waits for it where what was heard is too old.
async function askInTime(r, second) {
    if (!fs.readdirSync(r.variables.heard_dir).some(isRecent)) {
        await r.subrequest('/revocations/present');
        leaveOnly(r.variables.asked_dir, second);
        return;
    }
    // First, so that few others do the same.
    leaveOnly(r.variables.asked_dir, second);
    await r.subrequest('/revocations/remembered');
}

// What fails here refuses no token: the services look, too.
async function refresh(r) {
    const second = String(Math.floor(Date.now() / 1000));
    if (isFile(r.variables.asked_dir + '/' + second)) {
        return;
    }
    try {
        await askInTime(r, second);
    } catch (error) {
        r.warn('the revocations are not up to date: ' + error.message);
    }
}

function beganAt(claims) {
    // A UUIDv7 says it to the millisecond.
    return claims.sid.charAt(14) === '7' ? parseInt(claims.sid.slice(0, 8) + claims.sid.slice(9, 13), 16) : claims.iat * 1000;
}

// As servicekit.auth.revocations.
function isRevoked(r, claims) {
    var folder = r.variables.revoked_dir + '/marks/';
    if (isFile(folder + claims.sid)) {
        return true;
    }
    return isFile(folder + claims.sub) && beganAt(claims) <= momentIn(folder + claims.sub);
}

export default {tell, refresh, isRevoked};
