package dev.tiller.loader.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.hub.FakeHub.Reply;
import dev.tiller.loader.hub.FakeHub.Request;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Servers that refuse, ask to wait or send elsewhere: the file comes whole, or an error says why. */
class RefusedDownloadTest extends BadServer {
    // ---- refusals ----

    @Test
    void whatTheHubRefuses() {
        record Case(int status, String code, String path, boolean token, String says) {}
        for (Case c : List.of(
                new Case(401, "", "/revision/", false, "or a private one that needs a token in HF_TOKEN (HTTP 401)"),
                new Case(401, "", "/revision/", true, "does not know the token from HF_TOKEN"),
                new Case(403, "", "/revision/", true, "gives no access to the token from HF_TOKEN"),
                new Case(
                        401, "GatedRepo", "/resolve/", false, "/org/tiny and give a token of that account in HF_TOKEN"),
                new Case(403, "GatedRepo", "/resolve/", true, "gated: accept its conditions at http://127.0.0.1"),
                new Case(404, "RepoNotFound", "/revision/", true, "no such repository at http"),
                new Case(404, "RevisionNotFound", "/revision/", true, "no revision \"main\""),
                new Case(404, "EntryNotFound", "/tokenizer.json", true, "no file \"tokenizer.json\""),
                new Case(418, "", "/revision/", true, "expected the answer 200, found HTTP 418"))) {
            hub.rule(r ->
                    r.path().contains(c.path) ? new Reply(c.status, new byte[3]).with("X-Error-Code", c.code) : null);
            Pulling p = pulling();
            p.token = c.token;
            p.fails("org/tiny", c.says);
            assertEquals(List.of(), p.waits);
            hub.rule(r -> hub.ordinary(r));
        }
        // a hub that gives no code: the repository is there, or not
        pulling().fails("org/tiny@other", "no revision \"other\"");
        pulling().fails("org/nothing@other", "org/nothing: no such repository");
    }

    @Test
    void serversThatAskToWait() throws IOException {
        AtomicInteger n = new AtomicInteger();
        hub.rule(r -> switch (n.getAndIncrement()) {
            case 0 -> new Reply(429, new byte[0]).with("Retry-After", "7");
            case 1 -> new Reply(503, new byte[0]);
            case 2 -> new Reply(429, new byte[0]).with("Retry-After", "soon");
            default -> null;
        });
        Pulling p = pulling();
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertEquals(
                List.of(7L, 2L, 4L), p.waits.stream().map(Duration::toSeconds).toList());
        for (String date : List.of("3600", "Wed, 21 Oct 2099 07:28:00 GMT")) {
            hub.commit = "f".repeat(40);
            hub.rule(r -> new Reply(429, new byte[0]).with("Retry-After", date));
            pulling().fails("org/tiny@" + hub.commit, "too many requests", "asks to wait", "expected at most 300");
        }
        hub.rule(r -> new Reply(500, new byte[0]));
        pulling().fails("org/tiny@" + hub.commit, "HTTP 500 (after 6 tries)");
    }

    @Test
    void aStoreThatForgets() throws IOException {
        store(n -> n == 0 ? r -> hub.ordinary(r).cut(100_000) : n == 1 ? r -> new Reply(403, new byte[9]) : null);
        Pulling p = pulling();
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        store(n -> null);
        hub.commit = "f".repeat(40);
        hub.largeFile("model.safetensors", Pulling.random(10, 2));
        hub.rule(r -> r.isGet("/store/") ? new Reply(403, new byte[9]) : null);
        String message =
                assertThrows(TillerException.class, () -> p.run("org/tiny")).getMessage();
        assertTrue(message.contains("http://localhost") && message.contains("HTTP 403 (after 6 tries)"), message);
        p.checkSecrets(message);
    }

    // ---- redirects ----

    @Test
    void redirectsInsideTheHub() throws IOException {
        hub.rule(r -> {
            if (r.path().startsWith("/moved")) {
                return hub.ordinary(new Request(r.method(), r.path().substring(6), r.headers()));
            }
            boolean api = r.path().startsWith("/api/");
            return new Reply(307, new byte[4]).with("Location", (api ? hub.endpoint() : "") + "/moved" + r.path());
        });
        hub.rule(r -> r.path().startsWith("/store") ? hub.ordinary(r) : null);
        Pulling p = pulling();
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        assertTrue(hub.requests.stream()
                .filter(r -> r.path().startsWith("/moved"))
                .allMatch(r -> r.headers().containsKey("authorization")));
    }

    @Test
    void redirectsToAMirror() throws IOException {
        // no checksum in the first answer, so that the mirror is asked for it, without the token
        hub.rule(r -> r.headers().get("host").startsWith("127.") && r.path().contains("/resolve/")
                ? new Reply(308, new byte[0]).with("Location", hub.store() + r.path())
                : null);
        Pulling p = pulling();
        p.assertWhole(p.run("org/tiny"), Pulling.NEEDED);
        hub.requests.stream()
                .filter(r -> r.headers().get("host").startsWith("localhost"))
                .forEach(r -> assertFalse(r.headers().containsKey("authorization")));
    }

    @Test
    void redirectsThatLeadNowhere() {
        AtomicInteger n = new AtomicInteger();
        hub.rule(r -> new Reply(302, new byte[0]).with("Location", "/round/" + n.getAndIncrement()));
        pulling().fails("org/tiny", "expected at most 5 redirects");
        assertEquals(6, hub.requests.size());
        for (String location :
                List.of("ftp://127.0.0.1/x", "file:///etc/passwd", "http://user:pw@127.0.0.1/", "http://a b/", "")) {
            hub.rule(r -> new Reply(302, new byte[0]).with("Location", location));
            pulling().fails("org/tiny", "expected a redirect to a web address");
        }
    }

    @Test
    void aRedirectMustNotLeaveEncryption() {
        URI from = URI.create("https://hub.example/a");
        assertEquals(
                "https://other.example/x?y=1",
                HubHttp.target(from, "https://other.example/x?y=1").toString());
        assertEquals("https://hub.example/b", HubHttp.target(from, "/b").toString());
        for (String to : List.of("http://hub.example/a", "http://127.0.0.1/a?Signature=1")) {
            String message = assertThrows(TillerException.class, () -> HubHttp.target(from, to))
                    .getMessage();
            assertTrue(message.contains("from https to http") && !message.contains("Signature"), message);
        }
    }
}
