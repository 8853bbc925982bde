package dev.tiller.loader.hub;

import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;

/**
 * Requests to the hub and to where it redirects. The token goes to the endpoint's own scheme, host and port and nowhere
 * else; addresses are shown without their query, where signed ones carry their right of access.
 */
final class HubHttp implements AutoCloseable {
    private static final int MAX_REDIRECTS = 5;
    /** What Java's client says. */
    private static final Pattern NO_TUNNEL = Pattern.compile("Tunnel failed, got: (\\d+)");

    private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);

    private final HubSettings settings;
    private final HubLimits limits;
    private final HttpClient client;

    static {
        // Java gives no password to a proxy that it asks for a tunnel, unless told so before it makes its first client.
        String disabled = "jdk.http.auth.tunneling.disabledSchemes";
        if (System.getProperty(disabled) == null) {
            System.setProperty(disabled, "");
        }
    }

    HubHttp(HubSettings settings, HubLimits limits) {
        this.settings = settings;
        this.limits = limits;
        // Redirects are followed here, where the token can be withheld. HTTP/1.1: a connection for each file.
        HttpClient.Builder builder = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .followRedirects(HttpClient.Redirect.NEVER)
                .proxy(settings.proxies())
                .connectTimeout(limits.connect());
        settings.trust().map(HubTrust::context).ifPresent(builder::sslContext);
        this.client = builder.build();
    }

    /**
     * An answer whose body has not been read.
     *
     * @param uri what was asked in the end, after redirects
     */
    record Answer(URI uri, int status, HttpHeaders headers, HubBody body) implements AutoCloseable {
        Optional<String> header(String name) {
            return headers.firstValue(name);
        }

        /** A header that is a number; empty if it is missing or none. */
        OptionalLong number(String name) {
            try {
                long value = Long.parseLong(header(name).orElse(""));
                return value < 0 ? OptionalLong.empty() : OptionalLong.of(value);
            } catch (NumberFormatException e) {
                return OptionalLong.empty();
            }
        }

        boolean isRedirect() {
            return REDIRECTS.contains(status);
        }

        /** An error if the bytes are not those of the file itself. */
        void checkPlain() throws IOException {
            String encoding = header("Content-Encoding").orElse("identity").toLowerCase(Locale.ROOT);
            if (!encoding.equals("identity")) {
                throw new TillerException(
                        show(uri) + ": expected the file as it is, found Content-Encoding " + Messages.quote(encoding));
            }
        }

        @Override
        public void close() {
            body.close();
        }
    }

    /** The address of a path on the hub, which begins with a slash and is percent-encoded. */
    URI address(String path) {
        return URI.create(settings.endpoint() + path);
    }

    /** Asks for a body from byte {@code from} on, wherever it may be. */
    Answer get(URI uri, long from) throws IOException, InterruptedException {
        return follow("GET", uri, from, false);
    }

    /** Asks for the headers of a file; ends at a redirect that tells the file's checksum. */
    Answer head(URI uri) throws IOException, InterruptedException {
        return follow("HEAD", uri, 0, true);
    }

    private Answer follow(String method, URI start, long from, boolean untilLinked)
            throws IOException, InterruptedException {
        URI uri = start;
        for (int hops = 0; hops <= MAX_REDIRECTS; hops++) {
            Answer answer = exchange(method, uri, from);
            boolean known = untilLinked && answer.header("X-Linked-Etag").isPresent();
            if (!answer.isRedirect() || known) {
                return answer;
            }
            answer.close();
            uri = target(uri, answer.header("Location").orElse(""));
        }
        throw new TillerException(show(start) + ": expected at most " + MAX_REDIRECTS + " redirects, found more");
    }

    private Answer exchange(String method, URI uri, long from) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri)
                .method(method, HttpRequest.BodyPublishers.noBody())
                .timeout(limits.answer())
                .header("Accept-Encoding", "identity")
                .header("User-Agent", "tiller");
        if (from > 0) {
            request.header("Range", "bytes=" + from + "-");
        }
        if (isEndpoint(uri)) {
            settings.token().ifPresent(token -> request.header("Authorization", token.header()));
        }
        Optional<HubProxies.Named> proxy = settings.proxies().named(uri);
        proxy.flatMap(HubProxies.Named::authorization).ifPresent(user -> request.header("Proxy-Authorization", user));
        try {
            HttpResponse<HubBody> response =
                    client.send(request.build(), info -> new HubBody(limits.stall(), limits.clock()));
            return new Answer(uri, response.statusCode(), response.headers(), response.body());
        } catch (SSLException e) {
            String complaint = HubTrust.complaint(e, settings.trust()).orElse(null);
            if (complaint == null) {
                throw e;
            }
            throw new TillerException(show(uri) + ": " + complaint, e);
        } catch (IOException e) {
            throw proxy.isEmpty() ? e : throughProxy(uri, proxy.get(), e);
        }
    }

    /** An error in which the proxy is named if it was the one that failed. */
    static IOException throughProxy(URI uri, HubProxies.Named proxy, IOException e) {
        if (e instanceof ConnectException || e instanceof HttpConnectTimeoutException) {
            IOException named = new ConnectException(proxy + ": " + Patience.reason(e));
            named.addSuppressed(e);
            return named;
        }
        Matcher refused = NO_TUNNEL.matcher(String.valueOf(e.getMessage()));
        if (!refused.matches()) {
            return e;
        }
        String message = proxy + " makes no connection to " + uri.getHost() + " (HTTP " + refused.group(1) + ")";
        if (refused.group(1).startsWith("4")) {
            throw new TillerException(show(uri) + ": " + message, e);
        }
        return new Trouble(message);
    }

    /** What the answer 407 means, that a proxy gives which wants to know who asks. */
    TillerException proxyRefusal(URI uri) {
        Optional<HubProxies.Named> proxy = settings.proxies().named(uri);
        String user = proxy.flatMap(HubProxies.Named::authorization).isEmpty()
                ? " wants a user name and a password (http://user:password@host:port)"
                : " does not accept the user name and password";
        return new TillerException(show(uri) + ": "
                + proxy.map(p -> p + user).orElse("the proxy wants a user name and a password; name it in HTTPS_PROXY")
                + " (HTTP 407)");
    }

    /** Where a redirect leads; an error if it must not be followed. */
    static URI target(URI from, String location) {
        URI to = null;
        try {
            to = from.resolve(location);
        } catch (IllegalArgumentException e) {
            // said below
        }
        if (location.isEmpty() || to == null || !HubSettings.isWeb(to)) {
            throw new TillerException(show(from) + ": expected a redirect to a web address, found another");
        }
        if (HubSettings.isHttps(from) && !HubSettings.isHttps(to)) {
            throw new TillerException(show(from) + ": redirects from https to http, " + show(to) + "; not followed");
        }
        return to;
    }

    /** True for addresses that the token is meant for. */
    boolean isEndpoint(URI uri) {
        URI endpoint = settings.endpoint();
        return endpoint.getScheme().equalsIgnoreCase(uri.getScheme())
                && endpoint.getHost().equalsIgnoreCase(uri.getHost())
                && port(endpoint) == port(uri);
    }

    static int port(URI uri) {
        if (uri.getPort() >= 0) {
            return uri.getPort();
        }
        return HubSettings.isHttps(uri) ? 443 : 80;
    }

    /** An address for messages. */
    static String show(URI uri) {
        String port = uri.getPort() < 0 ? "" : ":" + uri.getPort();
        String path = uri.getRawPath() == null ? "" : uri.getRawPath();
        String shown = path.length() <= 200 ? path : path.substring(0, 200) + "...";
        return Messages.oneLine(uri.getScheme() + "://" + uri.getHost() + port + shown);
    }

    @Override
    public void close() {
        client.shutdownNow();
    }
}
