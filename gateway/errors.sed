# nginx's error log, as lines of JSON: sed -u -E -f errors.sed
# Of the request a line is about, the client's address, method, path without its query, and the upstream's address are kept; nothing else
# of it, since that could hold a secret.
s/\\/\\\\/g
s/"/\\"/g
s/[[:cntrl:]]/ /g
s#, client: ([^,]*), server: [^,]*, request: \\"([A-Z]+) (/[A-Za-z0-9._~/-]*)[^,]*,(.*,)? upstream: \\"(http://[A-Za-z0-9.:_-]*).*$#","client":"\1","method":"\2","path":"\3","upstream":"\5#
t known
s#, client: ([^,]*), server: [^,]*, request: \\"([A-Z]+) (/[A-Za-z0-9._~/-]*).*$#","client":"\1","method":"\2","path":"\3#
t known
s#, (client|request|subrequest|upstream|host|referrer): .*$##
:known
s#^([0-9]{4})/([0-9]{2})/([0-9]{2}) ([0-9:]{8}) \[([a-z]+)\] ([0-9]+\#[0-9]+: )?(.*)$#{"time":"\1-\2-\3T\4","level":"\5","logger":"nginx","event":"\7"}#
t
s#^(.*)$#{"level":"error","logger":"nginx","event":"\1"}#
