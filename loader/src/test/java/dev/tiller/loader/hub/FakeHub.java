package dev.tiller.loader.hub;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import javax.net.ServerSocketFactory;
import javax.net.ssl.SSLContext;

/**
 * A hub on this machine, over plain sockets so that it can lie and break off as real servers do. Large files are
 * redirected to another host name of the same server, as the hub does with its store.
 */
public final class FakeHub implements AutoCloseable {
    public static final String REPO = "org/tiny";

    /** Of the revision main. */
    public static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

    /** Header names in lower case. */
    record Request(String method, String path, Map<String, String> headers) {
        boolean isGet(String part) {
            return method.equals("GET") && path.contains(part);
        }

        long from() {
            String range = headers.getOrDefault("range", "bytes=0-");
            return Long.parseLong(range.substring(6, range.length() - 1));
        }
    }

    /** What is sent; the body is cut after {@code sent} bytes, and then the connection is closed or left hanging. */
    static final class Reply {
        final int status;
        final Map<String, String> headers = new LinkedHashMap<>();
        final byte[] body;
        long length;
        int sent;
        boolean chunked;
        boolean hang;
        boolean drip;
        boolean reset;

        Reply(int status, byte[] body) {
            this.status = status;
            this.body = body;
            this.length = body.length;
            this.sent = body.length;
        }

        Reply with(String name, String value) {
            headers.put(name, value);
            return this;
        }

        /** Another Content-Length than is true. */
        Reply announcing(long bytes) {
            length = bytes;
            return this;
        }

        Reply chunked() {
            chunked = true;
            return this;
        }

        Reply cut(int bytes) {
            sent = Math.min(bytes, body.length);
            return this;
        }

        Reply hanging() {
            hang = true;
            return this;
        }

        /** What is cut comes a byte every 20 ms, and then spaces without end. */
        Reply dripping() {
            drip = true;
            return hanging();
        }

        /** With a reset instead of an ordinary end. */
        Reply reset() {
            reset = true;
            return this;
        }
    }

    private final ServerSocket server;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private final List<Function<Request, Reply>> rules = new CopyOnWriteArrayList<>();

    /** All requests so far. */
    final List<Request> requests = new CopyOnWriteArrayList<>();

    final Map<String, byte[]> files = new TreeMap<>();
    final Set<String> large = new TreeSet<>();
    volatile String commit = COMMIT;

    /** Name that it is asked by; null for its address. */
    volatile String name;

    private final String scheme;

    public FakeHub() {
        this("http", ServerSocketFactory.getDefault());
    }

    /** One that speaks TLS. */
    static FakeHub secure(SSLContext context) {
        return new FakeHub("https", context.getServerSocketFactory());
    }

    private FakeHub(String scheme, ServerSocketFactory sockets) {
        this.scheme = scheme;
        try {
            server = sockets.createServerSocket(0, 100, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.ofVirtual().start(this::accept);
    }

    /** Address for HF_ENDPOINT. */
    public String endpoint() {
        return scheme + "://" + (name == null ? "127.0.0.1:" + port() : name);
    }

    /** The same server by another name. */
    String store() {
        return scheme + "://" + (name == null ? "localhost:" + port() : "store." + name);
    }

    int port() {
        return server.getLocalPort();
    }

    /** A file of the repository. */
    public FakeHub file(String name, byte[] bytes) {
        files.put(name, bytes);
        return this;
    }

    /** A file that lies in the store, with its SHA-256 as ETag. */
    public FakeHub largeFile(String name, byte[] bytes) {
        large.add(name);
        return file(name, bytes);
    }

    /** Asked before anything else; null for the ordinary answer. */
    FakeHub rule(Function<Request, Reply> rule) {
        rules.addFirst(rule);
        return this;
    }

    /** Requests of a method whose path has that in it. */
    long count(String method, String part) {
        return requests.stream()
                .filter(r -> r.method().equals(method) && r.path().contains(part))
                .count();
    }

    static String etag(byte[] bytes, boolean large) {
        try {
            String kind = large ? "0".repeat(64) : "0".repeat(40);
            return Checksum.of(new ByteArrayInputStream(bytes), bytes.length, kind);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    String etag(String name) {
        return etag(files.get(name), large.contains(name));
    }

    // ---- the ordinary answers ----

    Reply ordinary(Request request) {
        String api = "/api/models/" + REPO;
        String resolve = "/" + REPO + "/resolve/" + commit + "/";
        if (request.path().equals(api + "/revision/main") || request.path().equals(api + "/revision/" + commit)) {
            return new Reply(200, listing(files.keySet()).getBytes(StandardCharsets.UTF_8));
        }
        if (request.path().equals(api)) {
            return new Reply(200, "{}".getBytes(StandardCharsets.UTF_8));
        }
        if (request.path().startsWith(resolve)
                && files.containsKey(request.path().substring(resolve.length()))) {
            return resolved(request, request.path().substring(resolve.length()));
        }
        if (request.path().startsWith("/store/")) {
            return part(request, files.get(request.path().substring(7).replaceAll("\\?.*", "")));
        }
        return new Reply(404, "not here".getBytes(StandardCharsets.UTF_8));
    }

    /** The hub's answer to a request for its listing. */
    String listing(Iterable<String> names) {
        JsonArray siblings = new JsonArray();
        for (String name : names) {
            JsonObject file = new JsonObject();
            file.addProperty("rfilename", name);
            siblings.add(file);
        }
        JsonObject json = new JsonObject();
        json.addProperty("sha", commit);
        json.add("siblings", siblings);
        return json.toString();
    }

    private Reply resolved(Request request, String name) {
        byte[] bytes = files.get(name);
        if (large.contains(name)) {
            return new Reply(302, "Found".getBytes(StandardCharsets.UTF_8))
                    .with("X-Repo-Commit", commit)
                    .with("X-Linked-Etag", "\"" + etag(name) + "\"")
                    .with("X-Linked-Size", "" + bytes.length)
                    .with("Location", store() + "/store/" + name + "?Signature=SIGNED");
        }
        return part(request, bytes).with("X-Repo-Commit", commit).with("ETag", "\"" + etag(name) + "\"");
    }

    /** The bytes asked for, with status 206 where a range was. */
    static Reply part(Request request, byte[] bytes) {
        int from = (int) request.from();
        if (from == 0) {
            return new Reply(200, bytes);
        }
        if (from >= bytes.length) {
            return new Reply(416, new byte[0]);
        }
        return new Reply(206, Arrays.copyOfRange(bytes, from, bytes.length))
                .with("Content-Range", "bytes " + from + "-" + (bytes.length - 1) + "/" + bytes.length);
    }

    // ---- HTTP ----

    private void accept() {
        while (!server.isClosed()) {
            try {
                Socket socket = server.accept();
                open.add(socket);
                Thread.ofVirtual().start(() -> serve(socket));
            } catch (IOException e) {
                return; // closed
            }
        }
    }

    private void serve(Socket socket) {
        try (socket) {
            InputStream in = new BufferedInputStream(socket.getInputStream());
            OutputStream out = socket.getOutputStream();
            for (Request request = read(in); request != null; request = read(in)) {
                requests.add(request);
                Reply reply = null;
                for (Function<Request, Reply> rule : rules) {
                    reply = reply == null ? rule.apply(request) : reply;
                }
                reply = reply == null ? ordinary(request) : reply;
                boolean whole = write(out, reply, request.method().equals("HEAD"));
                for (int i = reply.sent; reply.drip; i++) {
                    out.write(i < reply.body.length ? reply.body[i] : ' ');
                    out.flush();
                    LockSupport.parkNanos(20_000_000);
                }
                if (reply.hang) {
                    in.read(); // until the client gives up
                    return;
                }
                if (!whole) {
                    socket.setSoLinger(reply.reset, 0);
                    return;
                }
                if ("close".equals(request.headers().get("connection"))) {
                    return;
                }
            }
        } catch (IOException e) {
            return; // the client is gone
        } finally {
            open.remove(socket);
        }
    }

    static Request read(InputStream in) throws IOException {
        String first = line(in);
        if (first == null) {
            return null;
        }
        Map<String, String> headers = new TreeMap<>();
        for (String line = line(in); line != null && !line.isEmpty(); line = line(in)) {
            int colon = line.indexOf(':');
            if (colon < 0) {
                return null; // not HTTP
            }
            headers.put(
                    line.substring(0, colon).toLowerCase(Locale.ROOT),
                    line.substring(colon + 1).strip());
        }
        String[] parts = first.split(" ");
        return new Request(parts[0], parts[1], headers);
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                return null;
            }
            if (c != '\r') {
                line.append((char) c);
            }
        }
        return line.toString();
    }

    private static boolean write(OutputStream out, Reply reply, boolean head) throws IOException {
        List<String> lines = new ArrayList<>(List.of("HTTP/1.1 " + reply.status + " X"));
        reply.headers.forEach((name, value) -> lines.add(name + ": " + value));
        lines.add(reply.chunked ? "Transfer-Encoding: chunked" : "Content-Length: " + reply.length);
        out.write((String.join("\r\n", lines) + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1));
        if (head) {
            out.flush();
            return !reply.hang;
        }
        if (reply.chunked && reply.sent > 0) {
            out.write((Integer.toHexString(reply.sent) + "\r\n").getBytes(StandardCharsets.US_ASCII));
        }
        out.write(reply.body, 0, reply.sent);
        boolean whole = reply.sent == reply.body.length && reply.length == reply.body.length;
        if (reply.chunked) {
            out.write((reply.sent > 0 ? "\r\n" : "").getBytes(StandardCharsets.US_ASCII));
            out.write((whole ? "0\r\n\r\n" : "").getBytes(StandardCharsets.US_ASCII));
        }
        out.flush();
        return whole;
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
