package decrypt

// Reasons for which a session ends other than in order. The same words stand in
// audit entries, logs and block pages. Reasons of a [Verifier] and of a [Service] join
// them. The reference page is generated from the comments.
const (
	// A rule, an event or the default terminates the session.
	// Cause: The policy does what it says.
	// Do: See the key `rule` of the entry. Ask `clearspan policy explain` for details.
	reasonPolicy = "policy"
	// The action is `tunnel-check`, and the server name does not belong to the
	// destination.
	// Cause: The client hides its destination behind another name, or uses another DNS.
	// Do: Compare the addresses of `sni` with `origin`. Let clearspan ask the same DNS
	// servers as the clients.
	reasonNameCheck = "name-mismatch-check"
	// The client sent nothing within `client.silence_timeout`, or no whole hello within
	// `client.handshake_timeout`.
	// Cause: A port scan, a connection opened in advance, packet loss.
	// Do: Nothing, if single. If many clients are affected, look for loss between them
	// and clearspan.
	reasonNoFlight = "client-silent"
	// The client address has more unfinished sessions than `limits.pending` allows.
	// Cause: A flood, or many clients behind one address.
	// Do: Raise `limits.pending` if the address is a NAT or a proxy.
	reasonPending = "client-pending"
	// The first octets look like TLS, but are not a valid ClientHello.
	// Cause: A broken or hostile client, a protocol that only resembles TLS, or a server
	// name that ends with a dot.
	// Do: Tunnel the destination by a rule if the client is legitimate.
	reasonMalformed = "malformed-hello"
	// The ClientHello is longer than 64 KiB.
	// Cause: A hostile client.
	// Do: Examine the client.
	reasonHelloTooLong = "hello-too-long"
	// clearspan got no TCP connection to the origin within `origin.connect_timeout`.
	// Cause: The origin is down, or a firewall or route is missing.
	// Do: Try `nc -vz ADDRESS PORT` on this machine.
	reasonDial = "origin-unreachable"
	// The server name has no address, and `origin.resolve` is `sni`.
	// Cause: The name does not exist, or the DNS server of this machine does not know it.
	// Do: Try `getent ahosts NAME` on this machine.
	reasonUnresolved = "origin-unresolved"
	// The name in CONNECT, SOCKS or the request has no address.
	// Cause: The name does not exist, or the DNS server of this machine does not know it.
	// Do: Try `getent ahosts NAME` on this machine, with the `host` of the entry.
	reasonNoAddress = "unresolved"
	// The origin refused the TCP connection.
	// Cause: No server listens on that port, or a firewall answers for it.
	// Do: Try `nc -vz ADDRESS PORT` on this machine.
	reasonRefused = "origin-refused"
	// The upstream proxy gave no connection to the origin.
	// Cause: The proxy is down, wants other credentials, or refuses the origin.
	// Do: See `err` of the log message `session ended` (level debug). Try `curl -x PROXY
	// https://NAME/` on this machine.
	reasonUpstream = "upstream"
	// The destination is a listener of clearspan itself. The session would come back for
	// ever, or reach the administration.
	// Cause: An intake whose origin is its own address, a redirection that also takes
	// the connections of clearspan, or a client that probes.
	// Do: Compare `origin` of the entry with `listen` of the intakes.
	reasonLoop = "loop"
	// The TLS handshake with the origin failed, for a reason other than trust.
	// Cause: No common TLS version or cipher suite, a broken server, a lost connection.
	// Do: Try `openssl s_client -connect ADDRESS:PORT -servername NAME`. Tunnel the origin
	// by a rule, or set `policy.learn.failed_origin`.
	reasonOriginTLS = "origin-handshake"
	// The origin began another handshake within a session of TLS 1.2, and it failed.
	// Cause: The origin needs a client certificate for this page, shows another certificate
	// than before, or renegotiates without RFC 5746.
	// Do: See `taught`: if the origin was learned, the next session is tunneled. Otherwise
	// tunnel the origin by a rule.
	reasonRenegotiation = "renegotiation"
	// The TLS handshake with the client failed.
	// Cause: The client does not trust the CA, or pins its certificates. See
	// `tls_client.refusal`.
	// Do: Install the CA on the client. Tunnel the destination of pinned applications.
	reasonClientTLS = "client-handshake"
	// The origin asks for a client certificate, and clearspan has none.
	// Cause: Mutual TLS, and `origin.client_certificate` is `block`.
	// Do: Tunnel the origin by a rule, or set `origin.client_certificate`.
	reasonClientCert = "client-certificate"
	// clearspan could not sign the forged certificate.
	// Cause: A PKCS #11 token that does not answer, an expired CA, a fault.
	// Do: See `err` of the log message `session ended` (level debug), and `clearspan ca
	// show`.
	reasonForge = "forge"
	// The origin's certificate decided against decryption, but STARTTLS had already begun.
	// Cause: A rule with `origin_name` or `issuer` matched after the plain dialogue.
	// Do: Write a rule with `host`, `origin` or `port` for that server.
	reasonTooLate = "too-late"
	// A request inside TLS is for another host than the server name, and
	// `policy.events.sni-mismatch` terminates.
	// Cause: Domain fronting, or a connection shared between hosts.
	// Do: See the keys `refused` and `http` of the entry. Write a rule for known services.
	reasonMismatch = "sni-mismatch"
	// clearspan could not read a request, and a rule asks for hosts, paths or methods.
	// The request is malformed, or its head has more than 64 KiB.
	// Cause: A broken or hostile client, or a protocol that only resembles HTTP.
	// Do: Examine the client. Tunnel the destination by a rule if the client is legitimate.
	reasonRequests = "unreadable-request"
	// The client uses Encrypted Client Hello, and ended the session because clearspan
	// cannot read it.
	// Cause: The client has the key of the origin from DNS.
	// Do: Nothing: most clients connect again without it. An intake of mode `dns` removes
	// the keys.
	reasonECH = "ech-required"
	// The client sent octets around STARTTLS that belong to neither side of it, or
	// commands behind a false end of mail.
	// Cause: A smuggling attack (CVE-2011-0411, CVE-2023-51764), or a client that does not
	// wait.
	// Do: Examine the client.
	reasonPipelined = "pipelined-upgrade"
	// The client reset the connection.
	// Cause: The application or its user gave up.
	// Do: Nothing, if single.
	reasonClientReset = "client-reset"
	// The origin reset the connection.
	// Cause: The server gave up, or a device on the way blocks it.
	// Do: Compare with a connection that does not pass clearspan.
	reasonOriginReset = "origin-reset"
	// The client closed the connection before clearspan had decided anything.
	// Cause: A health check, a port scan, a connection opened in advance.
	// Do: Nothing, if single.
	reasonClientGone = "client-closed"
	// No data moved for `client.idle_timeout`.
	// Cause: An idle connection.
	// Do: Raise `client.idle_timeout` if applications fail.
	reasonIdle = "idle-timeout"
	// clearspan stopped before the session had ended.
	// Cause: A stop or restart, after the time of `clearspan run --drain`.
	// Do: Raise `--drain` if sessions should have more time.
	reasonShutdown = "shutdown"
	// An operator ended the session.
	// Cause: `clearspan sessions end`, or the same by the control socket.
	// Do: Nothing.
	reasonOperator = "operator"
	// The intake refuses QUIC, so that clients use TCP.
	// Cause: `quic: block` of the intake.
	// Do: Nothing. The client connects again by TCP, and that session has its own entry.
	reasonQUICBlocked = "quic-blocked"
	// The intake passes QUIC, but a rule might terminate this flow, and clearspan cannot
	// tell. It refused the flow, so that the client uses TCP.
	// Cause: The action is `tunnel-check`, a rule asks for the origin's certificate, the
	// event `sni-unresolved` has an action, or `quic.hello` is not `whole`.
	// Do: Nothing, if the client connects again by TCP.
	reasonQUICUnjudged = "quic-unjudged"
	// A service ended the session and gave no reason.
	// Cause: A fault in clearspan.
	// Do: Report it with the log lines of the session.
	reasonService = "service"
	// clearspan contained a fault of its own. Only this session ended.
	// Cause: A fault in clearspan.
	// Do: Report it with the log line `session panicked`.
	reasonPanic = "panic"
)
