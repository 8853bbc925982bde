package dev.tiller.loader.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.net.http.HttpConnectTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Proxies that the environment names: who is asked through which, and who hears of the token and the password. */
class ProxyTest {
    private static final String PASSWORD = "p:a@ss w%rd";
    private static final String USER = "me:p%3Aa%40ss%20w%25rd@";
    private static final String BASIC =
            "Basic " + Base64.getEncoder().encodeToString(("me:" + PASSWORD).getBytes(StandardCharsets.UTF_8));

    @TempDir
    Path dir;

    private FakeHub hub;
    private FakeProxy proxy;

    @BeforeEach
    void start() {
        use(Pulling.model(100_000, 3));
    }

    private void use(FakeHub other) {
        stop();
        hub = other;
        hub.name = "hub.example"; // known to no name server
        proxy = new FakeProxy(hub);
    }

    @AfterEach
    void stop() {
        if (hub != null) {
            hub.close();
            proxy.close();
        }
    }

    private Pulling pulling(String... variables) {
        Pulling p = new Pulling(hub, dir);
        p.environment = new HashMap<>();
        for (int i = 0; i < variables.length; i += 2) {
            p.environment.put(variables[i], variables[i + 1]);
        }
        p.attempts = 1;
        return p;
    }

    // ---- requests through a proxy ----

    @ParameterizedTest
    @ValueSource(strings = {"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"})
    void plainHttp(String variable) throws IOException {
        proxy.wanted = BASIC;
        Pulling p = pulling(variable, "http://" + USER + proxy.address());
        p.token = false; // refused over plain HTTP
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertEquals(hub.requests.size(), proxy.requests.size());
        assertTrue(
                proxy.requests.stream().anyMatch(r -> r.path().startsWith("http://store.hub.example/store/")),
                proxy.requests::toString);
        for (FakeHub.Request r : proxy.requests) {
            assertEquals(BASIC, r.headers().get("proxy-authorization"), r.path());
        }
    }

    @Test
    void aTunnel() throws IOException {
        use(Pulling.over(TestCertificate.of("hub.example", "store.hub.example").server(), 100_000, 3));
        proxy.wanted = BASIC;
        Pulling p = pulling(
                "HTTPS_PROXY",
                "http://" + USER + proxy.address(),
                "SSL_CERT_FILE",
                TestCertificate.of("hub.example", "store.hub.example").pem(dir).toString());
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertTrue(proxy.requests.size() >= 2);
        for (FakeHub.Request r : proxy.requests) {
            assertEquals("CONNECT", r.method());
            assertTrue(List.of("hub.example:443", "store.hub.example:443").contains(r.path()), r.path());
            assertEquals(BASIC, r.headers().get("proxy-authorization"));
            assertFalse(r.headers().containsKey("authorization"), "the token is for the hub alone");
        }
        for (FakeHub.Request r : hub.requests) {
            assertFalse(r.headers().containsKey("proxy-authorization"), "the password is for the proxy alone");
            boolean atHub = r.headers().get("host").equals("hub.example");
            assertEquals(atHub ? "Bearer " + Pulling.SECRET : null, r.headers().get("authorization"), r.path());
        }
    }

    /** The token for a mirror on this machine travels in the clear, so no proxy may see it. */
    @Test
    void thisMachineIsAskedDirectly() throws IOException {
        hub.name = null;
        Pulling p = pulling("HTTP_PROXY", proxy.address(), "ALL_PROXY", proxy.address());
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        ProxySelector before = ProxySelector.getDefault();
        ProxySelector.setDefault(new ProxySelector() {
            @Override
            public List<Proxy> select(URI uri) {
                int port = Integer.parseInt(proxy.address().replaceAll(".*:", ""));
                return List.of(new Proxy(Proxy.Type.HTTP, new InetSocketAddress("127.0.0.1", port)));
            }

            @Override
            public void connectFailed(URI uri, SocketAddress address, IOException e) {}
        });
        try {
            p.plan("org/tiny");
            assertEquals(List.of(), proxy.requests);
            hub.name = "hub.example";
            Pulling other = pulling(); // what Java is told of proxies counts as well
            other.token = false;
            other.plan("org/tiny");
            assertTrue(proxy.requests.size() > 0);
        } finally {
            ProxySelector.setDefault(before);
        }
    }

    @Test
    void aRedirectToThisMachineGoesThroughNoProxy() throws IOException {
        hub.rule(r -> r.path().startsWith("/org/tiny/resolve/")
                ? new FakeHub.Reply(302, new byte[0])
                        .with("Location", "http://127.0.0.1:" + hub.port() + "/elsewhere" + r.path())
                : null);
        hub.rule(r -> r.path().startsWith("/elsewhere")
                ? hub.ordinary(new FakeHub.Request(r.method(), r.path().substring(10), r.headers()))
                : null);
        Pulling p = pulling("HTTP_PROXY", proxy.address());
        p.token = false;
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertTrue(proxy.requests.stream().noneMatch(r -> r.path().contains("/elsewhere")));
    }

    // ---- proxies that do not help ----

    private void fails(Pulling p, String... words) {
        String message = p.fails("org/tiny", words);
        assertFalse(message.contains("ss w") || message.contains("p%3A") || message.contains(BASIC), message);
        assertEquals(List.of(), p.waits);
    }

    @Test
    void aProxyThatWantsToKnowWhoAsks() throws IOException {
        proxy.wanted = "Basic other";
        Pulling p = pulling("HTTP_PROXY", proxy.address());
        p.token = false;
        fails(p, "http://hub.example/api/models/", "the proxy " + proxy.address() + " (HTTP_PROXY) wants a user name");
        p.environment.put("HTTP_PROXY", USER + proxy.address());
        fails(p, "(HTTP_PROXY) does not accept the user name and password (HTTP 407)");
        use(Pulling.over(TestCertificate.of("hub.example", "store.hub.example").server(), 100, 3));
        proxy.wanted = BASIC;
        fails(pulling("https_proxy", proxy.address()), "(https_proxy) wants a user name", "(HTTP 407)");
        fails(pulling("https_proxy", "http://you@" + proxy.address()), "(https_proxy) does not accept");
        proxy.refusal = 403;
        fails(
                pulling("https_proxy", proxy.address()),
                "https://hub.example/",
                "makes no connection to hub.example (HTTP 403)");
        proxy.refusal = 502;
        fails(pulling("https_proxy", proxy.address()), "makes no connection to hub.example (HTTP 502)");
    }

    @Test
    void aProxyThatIsNotThere() {
        proxy.close();
        Pulling p = pulling("HTTP_PROXY", USER + proxy.address());
        p.token = false;
        fails(p, "cannot connect (the proxy " + proxy.address() + " (HTTP_PROXY)");
        URI uri = URI.create("http://hub.example");
        HubProxies.Named named = new HubProxies(p.environment).named(uri).orElseThrow();
        IOException unknown = new ConnectException();
        unknown.initCause(new UnresolvedAddressException());
        for (IOException e : List.of(unknown, new HttpConnectTimeoutException("x"))) {
            String reason = Patience.reason(HubHttp.throughProxy(uri, named, e));
            assertEquals("cannot connect (" + named + ": " + Patience.reason(e) + ")", reason);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "socks5h://127.0.0.1:1080, one that is spoken to in \"socks5h\"",
        "https://127.0.0.1:1080, one that is spoken to in \"https\"",
        "http://, 'found \"http://\"'",
        "http://127.0.0.1:99999, 'found \"http://127.0.0.1:99999\"'",
        "http://me:secret@, another with an @",
        "http://me:secret@host:x, another with an @"
    })
    void whatCannotBeAProxy(String value, String says) {
        Pulling p = pulling("HTTP_PROXY", value);
        p.token = false;
        String message = p.fails("org/tiny", "HTTP_PROXY: expected a proxy like http://user:password@host:port", says);
        assertFalse(message.contains("secret"), message);
        // for other addresses it does not matter
        assertTrue(new HubProxies(p.environment).named(URI.create("https://x")).isEmpty());
    }

    // ---- which one ----

    private static String named(Map<String, String> environment, String uri) {
        return new HubProxies(environment)
                .named(URI.create(uri))
                .map(HubProxies.Named::toString)
                .orElse("none");
    }

    @Test
    void theVariablesOfThePythonTools() {
        Map<String, String> all = Map.of("HTTP_PROXY", "a:1", "HTTPS_PROXY", "http://b:2/", "ALL_PROXY", "c");
        assertEquals("the proxy a:1 (HTTP_PROXY)", named(all, "http://x/"));
        assertEquals("the proxy b:2 (HTTPS_PROXY)", named(all, "HTTPS://x/"));
        assertEquals("the proxy c:80 (ALL_PROXY)", named(Map.of("ALL_PROXY", "c", "HTTP_PROXY", "a:1"), "https://x"));
        Map<String, String> both = Map.of("HTTPS_PROXY", "upper:1", "https_proxy", "lower:2");
        assertEquals("the proxy lower:2 (https_proxy)", named(both, "https://x"));
        assertEquals("none", named(Map.of("HTTPS_PROXY", "upper:1", "https_proxy", ""), "https://x"));
        assertEquals(
                "the proxy [::1]:3128 (HTTPS_PROXY)", named(Map.of("HTTPS_PROXY", "http://[::1]:3128"), "https://x"));
        assertEquals("none", named(Map.of(), "https://x"));
        System.setProperty("https.proxyHost", "mine");
        System.setProperty("https.proxyPort", "3");
        try {
            assertEquals("none", named(all, "https://x"));
            Proxy mine = new Proxy(Proxy.Type.HTTP, InetSocketAddress.createUnresolved("mine", 3));
            assertEquals(List.of(mine), new HubProxies(all).select(URI.create("https://x")));
        } finally {
            System.clearProperty("https.proxyHost");
            System.clearProperty("https.proxyPort");
        }
        for (String here : List.of("http://localhost:1", "https://127.0.0.1", "https://[::1]/x")) {
            assertEquals("none", named(all, here));
        }
    }

    @Test
    void passwords() {
        for (String[] c : new String[][] {
            {"u:p@h:1", "u:p"},
            {"u@h:1", "u:"},
            {"http://u:p@ss@h:1", "u:p@ss"},
            {"u%3A1:50%@h", "u%3A1:50%"},
            {"u:a+b%20c@h", "u:a+b c"}
        }) {
            HubProxies.Named proxy = new HubProxies(Map.of("HTTPS_PROXY", c[0]))
                    .named(URI.create("https://x"))
                    .orElseThrow();
            String header = proxy.authorization().orElseThrow();
            assertEquals(c[1], new String(Base64.getDecoder().decode(header.substring(6)), StandardCharsets.UTF_8));
            assertFalse(proxy.toString().contains("u"), proxy::toString);
        }
        assertThrows(
                TillerException.class,
                () -> new HubProxies(Map.of("HTTPS_PROXY", "u:p%0A@h")).named(URI.create("https://x")));
    }

    @ParameterizedTest
    @CsvSource({
        "hub.example, hub.example, true",
        "hub.example, HUB.example:443, true",
        "hub.example, hub.example:80, false",
        "hub.example, example, true",
        "hub.example, .example, true",
        "hub.example, *.example, true",
        "hub.example, ub.example, false",
        "hub.example, other.example, false",
        "hub.example, 'a.example, hub.example', true",
        "hub.example, 'a.example hub.example', true",
        "hub.example, *, true",
        "hub.example, '', false",
        "hub.example, 10.0.0.0/8, false",
        "10.1.2.3, 10.1.2.3, true",
        "10.1.2.3, 10.1.2.3:443, true",
        "10.1.2.3, 10.1.2.3:80, false",
        "10.1.2.3, 10.0.0.0/8, true",
        "10.1.2.3, 10.1.2.0/24, true",
        "10.1.2.3, 10.1.3.0/24, false",
        "10.1.2.3, 10.1.2.0/99, false",
        "10.1.2.3, 10.1.2.0/x, false",
        "10.1.2.3, 0.0.0.0/0, true",
        "10.1.2.3, 2.3, false",
        "[fd00::1], fd00:0::1, true",
        "[fd00::1], [fd00::1], true",
        "[fd00::1], fd00::/8, true",
        "[fd00::1], fe00::/8, false"
    })
    void whatIsAskedDirectly(String host, String list, boolean direct) {
        URI uri = URI.create("https://" + host + "/x");
        for (String variable : List.of("NO_PROXY", "no_proxy")) {
            HubProxies proxies = new HubProxies(Map.of("HTTPS_PROXY", "p:1", variable, list));
            assertEquals(direct, proxies.named(uri).isEmpty());
            assertEquals(direct, proxies.select(uri).equals(List.of(Proxy.NO_PROXY)));
        }
    }
}
