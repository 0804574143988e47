package lab

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/clearspan/clearspan/hack/netlab"
)

// PostgreSQLPort is that of [StartPostgreSQL]: TLS on request, or from the first
// octet where the server knows that (17 and later).
const PostgreSQLPort = 5432

// StartPostgreSQL runs a server with an empty database "postgres", to which the
// user of that name may connect from anywhere without a password.
func StartPostgreSQL(ns *netlab.Namespace, dir string, certificate KeyPair) (*Server, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("find PostgreSQL: no server below /usr/lib/postgresql")
	}
	programs := filepath.Dir(found[len(found)-1])
	owner, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("find owner of databases: %w", err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	if err := ownDir(dir, uid, gid, 0o755); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	asOwner := []string{"--reuid", owner.Uid, "--regid", owner.Gid, "--clear-groups"}
	if _, err := Run(context.Background(), ns, "", "setpriv", append(asOwner, filepath.Join(programs, "initdb"),
		"--pgdata", data, "--no-sync", "--no-instructions", "--auth", "trust", "--username", "postgres", "--encoding", "UTF8")...); err != nil {
		return nil, err
	}
	if err := writeFiles(data, map[string]string{"pg_hba.conf": "host all all all trust\n"}); err != nil {
		return nil, err
	}
	// The server insists on a key that nobody else may read.
	key, err := os.ReadFile(certificate.KeyFile)
	if err != nil {
		return nil, err
	}
	keyFile := filepath.Join(dir, "server.key")
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		return nil, err
	}
	if err := os.Chown(keyFile, uid, gid); err != nil {
		return nil, err
	}
	settings := []string{
		"listen_addresses=*", "port=" + strconv.Itoa(PostgreSQLPort), "unix_socket_directories=",
		"ssl=on", "ssl_cert_file=" + certificate.CertFile, "ssl_key_file=" + keyFile,
		"fsync=off", "max_connections=20", "shared_buffers=4MB", "dynamic_shared_memory_type=mmap",
	}
	args := append(asOwner, filepath.Join(programs, "postgres"), "-D", data)
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	// It listens before it takes sessions.
	ready := func(*Server) bool {
		_, err := Run(context.Background(), ns, "", filepath.Join(programs, "pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", strconv.Itoa(PostgreSQLPort))
		return err == nil
	}
	return startServer(ns, dir, ready, "setpriv", args...)
}
