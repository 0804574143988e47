package lab

import (
	"strings"
	"testing"
)

// TestUpgrades has each server with TLS on request serve a client that insists on
// it.
func TestUpgrades(t *testing.T) {
	ctx, g := gateway(t)
	ca, cert := pki(t, g, "www.example.test", "example.test", OriginV4)
	if _, err := StartPostgreSQL(g.Origin, dir(t, g, "postgresql"), cert); err != nil {
		t.Fatal(err)
	}
	if _, err := StartMariaDB(g.Origin, dir(t, g, "mariadb"), cert); err != nil {
		t.Fatal(err)
	}
	if _, err := StartSlapd(g.Origin, dir(t, g, "slapd"), cert, "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := StartProsody(g.Origin, dir(t, g, "prosody"), "example.test", cert, map[string]string{"alice": "secret", "bob": "secret"}); err != nil {
		t.Fatal(err)
	}
	if _, err := StartVsftpd(g.Origin, dir(t, g, "vsftpd"), cert, FTPPort, false); err != nil {
		t.Fatal(err)
	}
	boxes, err := NewMailboxes(dir(t, g, "mail"), "example.test", map[string]string{"bob": "secret"})
	if err != nil {
		t.Fatal(err)
	}
	exim, err := StartExim(g.Origin, dir(t, g, "exim"), cert, boxes)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, stdin string
		run         []string
		want        string
	}{
		{"psql", "", PSQL(OriginV4, ca.RootFile, "select ssl, 6*7 as answer from pg_stat_ssl where pid = pg_backend_pid()"), "t|42"},
		{"mariadb", "", MariaDB(OriginV4, ca.RootFile, "select variable_value <> '', 6*7 from information_schema.session_status where variable_name = 'SSL_CIPHER'"), "1\t42"},
		{"ldapsearch", "", LDAPSearch(OriginV4, ca.RootFile, "cn=alice"), "dn: cn=alice,dc=example,dc=test"},
		{"go-sendxmpp", "hello\n", SendXMPP(OriginV4, ca.RootFile, "alice@example.test", "secret", "bob@example.test"), ""},
		{"swaks", "", SendMail(OriginV4, ca.RootFile, "alice@example.test", "bob@example.test", "Subject: by Exim\n\ntext\n"), "250 OK id="},
		{"lftp", "", LFTP(OriginV4, ca.RootFile, "ls"), "upload"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := Run(ctx, g.Client, row.stdin, row.run[0], row.run[1:]...)
			if err != nil || !strings.Contains(r.Stdout, row.want) {
				t.Errorf("%v\n%s\n%s", err, r.Stdout, r.Stderr)
			}
		})
	}
	if _, err := boxes.WaitMessage(ctx, "bob", "Subject: by Exim"); err != nil {
		t.Errorf("%v\n%s", err, exim.Log())
	}
}
