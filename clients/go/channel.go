// The channel to a sidecar, with the options that grpc-go's defaults get wrong for it.

package tieline

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const (
	connectDeadline = 5 * time.Second
	// How often a quiet connection is checked; the server's heartbeats are the real sign of life.
	keepAlive        = 30 * time.Second
	keepAliveTimeout = 60 * time.Second
	// 64 KiB windows, the default of HTTP/2, cost two thirds of the throughput.
	streamWindow     = 1 << 20
	connectionWindow = 4 << 20
	// Responses stay below the 4 MiB that grpc-go accepts by default; this leaves room for growth.
	largestMessage = 16 << 20
)

// dial makes a channel that connects when it is first used.
func dial(o *Options) (*grpc.ClientConn, error) {
	secured, err := transport(o.TLS)
	if err != nil {
		return nil, err
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(secured),
		// Else http_proxy of the environment is asked even for loopback.
		grpc.WithNoProxy(),
		// Else a name costs a TXT look-up for a service config that nobody serves.
		grpc.WithDisableServiceConfig(),
		// One attempt is one connection: the delays between them are the machine's.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.DefaultConfig, MinConnectTimeout: connectDeadline,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepAlive, Timeout: keepAliveTimeout}),
		grpc.WithInitialWindowSize(streamWindow),
		grpc.WithInitialConnWindowSize(connectionWindow),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largestMessage)),
	}
	target := o.Target
	if path, ok := socketPath(target); ok {
		target = "unix:" + path
		// Servers refuse the path of a socket as `:authority`.
		authority := "localhost"
		if o.TLS != nil && o.TLS.ServerName != "" {
			authority = o.TLS.ServerName
		}
		options = append(options, grpc.WithAuthority(authority))
	} else {
		// Taken as it is and resolved by Go's own dialler, which tries every address.
		target = "passthrough:///" + target
	}
	return grpc.NewClient(target, append(options, o.DialOptions...)...)
}

// transport reads certificates anew for each connection, so replaced ones take effect.
func transport(files *TLS) (credentials.TransportCredentials, error) {
	if files == nil {
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{ServerName: files.ServerName, MinVersion: tls.VersionTLS12}
	if files.CAFile != "" {
		text, err := os.ReadFile(files.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tieline: TLS.CAFile: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("tieline: TLS.CAFile %q holds no certificate in PEM", files.CAFile)
		}
	}
	if files.CertFile != "" {
		own, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tieline: TLS.CertFile %q, KeyFile %q: %w", files.CertFile, files.KeyFile, err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return credentials.NewTLS(config), nil
}

// readToken reads the token of a call.
func readToken(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("tieline: TokenFile: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("tieline: TokenFile %q is empty; write the bearer token into it", path)
	}
	return token, nil
}
