package lab

import (
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/clearspan/clearspan/hack/netlab"
)

// StartTinyproxy starts an HTTP proxy that leads by CONNECT to every port, for a user. dir
// is created. hosts is the content of its hosts file.
func StartTinyproxy(ns *netlab.Namespace, dir string, port int, user, password, hosts string) (*Server, error) {
	files := map[string]string{
		"hosts":          hosts,
		"tinyproxy.conf": fmt.Sprintf("Port %d\nTimeout 60\nMaxClients 100\nBasicAuth %s %s\nLogLevel Connect\n", port, user, password),
		"run":            "mount --bind \"$1/hosts\" /etc/hosts && exec tinyproxy -d -c \"$1/tinyproxy.conf\"\n",
	}
	if err := writeFiles(dir, files); err != nil {
		return nil, err
	}
	return startServer(ns, dir, listening(ns, []int{port}), "unshare", "--mount", "sh", filepath.Join(dir, "run"), dir)
}

// StartMicrosocks starts a SOCKS5 proxy for a user. dir is created.
func StartMicrosocks(ns *netlab.Namespace, dir string, port int, user, password string) (*Server, error) {
	if err := writeFiles(dir, nil); err != nil {
		return nil, err
	}
	return startServer(ns, dir, listening(ns, []int{port}), "microsocks", "-p", strconv.Itoa(port), "-u", user, "-P", password)
}
