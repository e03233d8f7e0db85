// What users has revoked, for the scripts and for nginx itself: a file for each session, named by its id, and a file for each
// account whose sessions all ended, named by its id and holding the moment before which they began
// (docs/adr/0095-the-gateway-knows-revoked-sessions.md). nginx looks for the files at each request (nginx.conf).
// A script of its own: njs runs all that a script imports anew for each request, and this one runs in each second for a few.
// The dialect is that of njs 0.7.9, which has neither shared memory nor timers of its own.

import fs from 'fs';

// A list that was asked for longer ago is waited for before a token is accepted.
var TOO_OLD_SECONDS = 2;
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

// What is in a folder, which is made anew where it is gone: it may lie where a machine tidies up, and without it no end of a
// session would be heard of.
function filesIn(folder) {
    fs.mkdirSync(folder, {recursive: true});
    return fs.readdirSync(folder);
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

function write(folder, each) {
    var path = folder + '/' + each.name;
    if (each.before !== null) {
        if (!isFile(path) || momentIn(path) < each.before) {
            fs.writeFileSync(path, String(each.before));
        }
    } else if (!isFile(path)) {
        fs.writeFileSync(path, '');
    }
}

// A few at a time: on a busy disk each may take milliseconds, and other requests wait meanwhile.
async function writeAll(folder, marks) {
    for (var i = 0; i < marks.length; i++) {
        write(folder, marks[i]);
        if (i % 5 === 4) {
            await new Promise((resolve) => setTimeout(resolve, 1));
        }
    }
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

async function news(r, known) {
    const answer = await ask(r, known);
    if (answer.horizon >= known) {
        return answer;
    }
    // The ids of transactions have gone back: users' database was restored.
    const whole = await ask(r, 0);
    return whole;
}

// Takes over what is new to the gateway.
async function follow(r) {
    const horizons = r.variables.revoked_dir + '/horizon';
    const marks = r.variables.revoked_dir + '/marks';
    if (!isFile(marks)) {
        // What is known is lost with them, and is asked for anew.
        filesIn(horizons).forEach((each) => fs.unlinkSync(horizons + '/' + each));
        filesIn(marks);
    }
    const known = filesIn(horizons).reduce((highest, name) => Math.max(highest, Number(name) || 0), 0);
    const answer = await news(r, known);
    await writeAll(marks, answer.marks);
    // While nothing is new the old horizon does as well.
    if (answer.marks.length > 0 || answer.horizon < known) {
        leaveOnly(horizons, String(answer.horizon));
        dropExpired(marks);
    }
}

// Has users asked, and answers when it has told, or has not.
async function tell(r) {
    try {
        await follow(r);
    } catch (error) {
        r.warn('the revocations cannot be read: ' + error.message);
    }
    try {
        r.return(200, '');
    } catch (error) {
        // Nobody has waited for so long; what was told is kept.
    }
}

// The same, and answers at once.
function tellLater(r) {
    r.subrequest('/revocations/tell', {detached: true});
    r.return(204, '');
}

function wasRenamed(from, to) {
    try {
        fs.renameSync(from, to);
        return true;
    } catch (error) {
        return false; // another was quicker
    }
}

// Once a second: has users asked in nobody's way, or waits for it where that was not done for a while.
async function askInTime(r, second) {
    const folder = r.variables.asked_dir;
    const last = filesIn(folder).reduce((latest, name) => Math.max(latest, Number(name)), 0);
    if (Math.abs(second - last) > TOO_OLD_SECONDS) {
        await r.subrequest('/revocations/told');
        leaveOnly(folder, String(second));
    } else if (wasRenamed(folder + '/' + last, folder + '/' + second)) {
        await r.subrequest('/revocations/later');
    }
}

// What fails here refuses no token: the services look, too.
async function refresh(r) {
    const second = Math.floor(Date.now() / 1000);
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

// As servicekit.auth.revocations. A token that has a good verdict is in good form.
function isRevoked(r) {
    var folder = r.variables.revoked_dir + '/marks/';
    var claims = JSON.parse(Buffer.from(r.headersIn.Authorization.split('.')[1], 'base64url').toString());
    if (isFile(folder + claims.sid)) {
        return true;
    }
    return isFile(folder + claims.sub) && beganAt(claims) <= momentIn(folder + claims.sub);
}

// A verdict on a token whose session may have ended, or while it is not known which have.
async function judge(r) {
    await refresh(r);
    const verdict = await r.subrequest('/verdict');
    const fault = verdict.status === 204 && isRevoked(r) ? 'revoked' : verdict.headersOut['X-Token-Fault'];
    if (fault) {
        r.headersOut['X-Token-Fault'] = fault;
    }
    r.headersOut['X-Verdict'] = 'AGAIN';
    r.return(fault === 'revoked' ? 401 : verdict.status, '');
}

export default {judge, tell, tellLater};
