package lab

import (
	"path/filepath"
	"strconv"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Python is the interpreter that has the Debian packages of Python.
const Python = "/usr/bin/python3"

// StartWebSockets runs Python's websockets as a server over TLS. It returns each message,
// and compresses if the client offers that. It answers "give" with [EICAR], and writes how
// connections end to its log.
func StartWebSockets(ns *netlab.Namespace, dir string, port int, certificate KeyPair) (*Server, error) {
	if err := writeFiles(dir, map[string]string{"server.py": webSockets}); err != nil {
		return nil, err
	}
	return startServer(ns, dir, listening(ns, []int{port}), Python, filepath.Join(dir, "server.py"),
		strconv.Itoa(port), certificate.CertFile, certificate.KeyFile, EICAR())
}

const webSockets = `import asyncio, ssl, sys
import websockets

port, cert, key, eicar = sys.argv[1:]

async def serve(ws):
    try:
        async for message in ws:
            await ws.send(eicar if message == "give" else message)
    except websockets.ConnectionClosedError:
        pass
    finally:
        print("path", ws.path, "extensions", len(ws.extensions), "closed", ws.close_code, flush=True)

async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    async with websockets.serve(serve, None, int(port), ssl=context, max_size=None):
        await asyncio.Future()

asyncio.run(main())
`
