package lab

import (
	"fmt"
	"path/filepath"
	"strconv"
)

// The functions below return command lines of clients that ask the server at an IP
// address for TLS and trust the certificates in the PEM file ca only; with an empty
// ca they want no TLS. Give them to [Run].

// PSQL runs a statement at PostgreSQL; rows come one a line, columns between bars.
func PSQL(server, ca, statement string) []string {
	tls := "sslmode=disable"
	if ca != "" {
		tls = "sslmode=verify-full sslrootcert=" + ca
	}
	return []string{"psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", statement,
		fmt.Sprintf("host=%s user=postgres dbname=postgres gssencmode=disable connect_timeout=20 %s", server, tls)}
}

// MariaDB runs a statement at MariaDB or MySQL; columns come between tabs.
func MariaDB(server, ca, statement string) []string {
	tls := []string{"--skip-ssl"}
	if ca != "" {
		tls = []string{"--ssl", "--ssl-ca=" + ca, "--ssl-verify-server-cert"}
	}
	args := append([]string{"mariadb", "--no-defaults"}, tls...)
	return append(args, "--host="+server, "--user=bob", "--connect-timeout=20", "--batch", "--skip-column-names", "--execute="+statement)
}

// LDAPSearch searches below dc=example,dc=test.
func LDAPSearch(server, ca, filter string) []string {
	args := []string{"ldapsearch", "-x", "-LLL", "-H", "ldap://" + bracket(server), "-b", "dc=example,dc=test", filter}
	if ca == "" {
		return args
	}
	return append([]string{"env", "LDAPTLS_CACERT=" + ca, "LDAPTLS_REQCERT=demand"}, append(args, "-ZZ")...)
}

// SendXMPP sends the text of its standard input to a user.
func SendXMPP(server, ca, from, password, to string) []string {
	return []string{"env", "SSL_CERT_FILE=" + ca, "SSL_CERT_DIR=" + filepath.Dir(ca) + "/none", "go-sendxmpp",
		"--username", from, "--password", password, "--jserver", fmt.Sprintf("%s:%d", bracket(server), XMPPPort), to}
}

// LFTP has lftp act on commands, data connections being those of PASV or EPSV unless a
// command says otherwise. Its TLS is at most 1.2: with 1.3 it may close a connection on
// which it has only sent with the server's tickets unread, and the kernel then resets it
// and drops what is still to be sent.
func LFTP(server, ca, commands string) []string {
	settings := "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20; set ftp:port-range 40000-49999; set ssl:priority NORMAL:-VERS-TLS1.3; set ftp:ssl-allow no"
	if ca != "" {
		settings += "; set ftp:ssl-allow yes; set ftp:ssl-allow-anonymous yes; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ssl:ca-file " + ca
	}
	return []string{"lftp", "--norc", "-e", settings + "; open " + bracket(server) + "; " + commands + "; exit"}
}

// SendMail sends a mail by SMTP on port 25, its text being the data of [Mail].
func SendMail(server, ca, from, to, data string) []string {
	args := []string{"swaks", "--server", server, "--port", strconv.Itoa(SMTPPort), "--helo", "client.example",
		"--from", from, "--to", to, "--timeout", "20", "--data", data}
	if ca == "" {
		return args
	}
	return append(args, "--tls", "--tls-verify", "--tls-ca-path", ca)
}
