package dev.tiller.loader.hub;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** A proxy on this machine: all names lead to one server. Requests over plain HTTP are passed on, others get a tunnel. */
final class FakeProxy implements AutoCloseable {
    private final ServerSocket server;
    private final int target;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();

    /** What it was asked for, with the headers that it alone is meant to see. */
    final List<FakeHub.Request> requests = new CopyOnWriteArrayList<>();

    /** Expected as Proxy-Authorization; null: everybody passes. */
    volatile String wanted;

    /** Status for all requests; 0: as things are. */
    volatile int refusal;

    FakeProxy(FakeHub hub) {
        target = hub.port();
        try {
            server = new ServerSocket(0, 100, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.ofVirtual().start(this::accept);
    }

    /** Host and port, for the variables. */
    String address() {
        return "127.0.0.1:" + server.getLocalPort();
    }

    private void accept() {
        while (!server.isClosed()) {
            try {
                Socket client = server.accept();
                open.add(client);
                Thread.ofVirtual().start(() -> serve(client));
            } catch (IOException e) {
                return; // closed
            }
        }
    }

    /** One request for each connection. */
    private void serve(Socket client) {
        try (client;
                Socket upstream = new Socket(InetAddress.getLoopbackAddress(), target)) {
            open.add(upstream);
            InputStream in = new BufferedInputStream(client.getInputStream());
            FakeHub.Request request = FakeHub.read(in);
            if (request == null) {
                return;
            }
            requests.add(request);
            boolean known = wanted == null || wanted.equals(request.headers().get("proxy-authorization"));
            int status = refusal != 0 ? refusal : known ? 200 : 407;
            if (status != 200) {
                send(
                        client.getOutputStream(),
                        "HTTP/1.1 " + status
                                + " X\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n");
                return;
            }
            if (request.method().equals("CONNECT")) {
                send(client.getOutputStream(), "HTTP/1.1 200 OK\r\n\r\n");
                Thread.ofVirtual().start(() -> pump(in, upstream));
            } else {
                send(upstream.getOutputStream(), head(request));
            }
            upstream.getInputStream().transferTo(client.getOutputStream());
        } catch (IOException e) {
            return; // one side is gone
        }
    }

    private static void pump(InputStream in, Socket to) {
        try (to) {
            in.transferTo(to.getOutputStream());
        } catch (IOException e) {
            return;
        }
    }

    /** The request as the server gets it, without what was meant for us. */
    private static String head(FakeHub.Request request) {
        StringBuilder head = new StringBuilder(request.method() + " "
                + URI.create(request.path()).getRawPath() + " HTTP/1.1\r\nConnection: close\r\n");
        for (Map.Entry<String, String> h : request.headers().entrySet()) {
            if (!h.getKey().startsWith("proxy-") && !h.getKey().equals("connection")) {
                head.append(h.getKey()).append(": ").append(h.getValue()).append("\r\n");
            }
        }
        return head + "\r\n";
    }

    private static void send(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.ISO_8859_1));
        out.flush();
    }

    @Override
    public void close() {
        try {
            server.close();
            for (Socket socket : open) {
                socket.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
