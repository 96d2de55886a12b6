// The channel to a sidecar, with the options that .NET's defaults get wrong for it.
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;

namespace Tieline;

internal static class Channels
{
    // Responses stay below the 4 MiB that Grpc.Net.Client accepts; this leaves room for growth.
    private const int LargestMessage = 16 << 20;

    internal static GrpcChannel Open(SubscriberOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            // Else http_proxy of the environment is asked, even for loopback.
            UseProxy = false,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            // The server's heartbeats are the real sign of life.
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(60),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            // 64 KiB windows, the default, cost two thirds of the throughput.
            InitialHttp2StreamWindowSize = 1 << 20,
        };
        if (options.Tls is not null)
        {
            handler.SslOptions = Secure(options.Tls);
        }
        // Over a socket the authority is localhost: servers refuse its path as `:authority`.
        var host = "localhost";
        if (SocketPath(options.Target) is { } path)
        {
            handler.ConnectCallback = async (_, ending) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), ending).ConfigureAwait(false);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            };
        }
        else
        {
            host = options.Target;
        }
        var scheme = options.Tls is null ? "http" : "https";
        return GrpcChannel.ForAddress($"{scheme}://{host}", new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            MaxReceiveMessageSize = LargestMessage,
        });
    }

    // Whether nobody else can listen on the way.
    internal static bool IsLocal(string target)
    {
        if (SocketPath(target) is not null)
        {
            return true;
        }
        var host = target[..Math.Max(target.LastIndexOf(':'), 0)].Trim('[', ']');
        return host == "localhost" || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
    }

    private static string? SocketPath(string target)
    {
        if (!target.StartsWith("unix:", StringComparison.Ordinal))
        {
            return null;
        }
        var path = target["unix:".Length..];
        return path.StartsWith("//", StringComparison.Ordinal) ? path[2..] : path;
    }

    private static SslClientAuthenticationOptions Secure(TlsFiles files)
    {
        var options = new SslClientAuthenticationOptions { TargetHost = files.ServerName };
        if (files.CaFile is not null)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPemFile(files.CaFile);
            options.CertificateChainPolicy = policy;
        }
        if (files.CertFile is not null)
        {
            options.ClientCertificates = [X509Certificate2.CreateFromPemFile(files.CertFile, files.KeyFile)];
        }
        return options;
    }
}
