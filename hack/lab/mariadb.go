package lab

import (
	"path/filepath"
	"strconv"

	"github.com/clearspan/clearspan/hack/netlab"
)

// MariaDBPort is that of [StartMariaDB]: TLS on request.
const MariaDBPort = 3306

// StartMariaDB runs a server without tables of its own, which lets in anybody.
func StartMariaDB(ns *netlab.Namespace, dir string, certificate KeyPair) (*Server, error) {
	data := filepath.Join(dir, "data")
	if err := ownDir(data, 0, 0, 0o700); err != nil {
		return nil, err
	}
	return startServer(ns, dir, listening(ns, nil, MariaDBPort), "mariadbd", "--no-defaults", "--user=root",
		"--datadir="+data, "--socket="+filepath.Join(dir, "socket"), "--pid-file="+filepath.Join(dir, "pid"),
		"--bind-address=*", "--port="+strconv.Itoa(MariaDBPort), "--skip-grant-tables", "--skip-name-resolve",
		"--ssl-cert="+certificate.CertFile, "--ssl-key="+certificate.KeyFile,
		"--default-storage-engine=MyISAM", "--default-tmp-storage-engine=MyISAM", "--skip-innodb", "--skip-log-bin")
}
