package dev.tiller.loader.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A hub over TLS: whose certificates are believed, and what is said of the others. */
class TlsTest {
    private static final TestCertificate CERTIFICATE =
            TestCertificate.of("hub.example", "store.hub.example", "localhost");

    @TempDir
    Path dir;

    private final FakeHub hub = Pulling.over(CERTIFICATE.server(), 100_000, 5);

    @AfterEach
    void stop() {
        hub.close();
    }

    /** The certificate is for localhost and not for 127.0.0.1, which is the endpoint. */
    private Pulling pulling(String... variables) {
        Pulling p = new Pulling(hub, dir.resolve("cache"));
        p.environment = new HashMap<>();
        for (int i = 0; i < variables.length; i += 2) {
            p.environment.put(variables[i], variables[i + 1]);
        }
        return p;
    }

    private void fails(Pulling p, String... words) {
        p.fails("org/tiny", words);
        assertEquals(List.of(), p.waits); // no certificate gets better by asking again
        assertEquals(List.of(), hub.requests, "nothing was asked, and no token sent");
    }

    @Test
    void certificatesThatANamedFileHolds() throws IOException {
        String other = TestCertificate.of("other.example").pem();
        Path bundle = Files.writeString(
                dir.resolve("bundle é.pem"),
                "# Issuer: ü - of -\n" + other + "junk\n-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"
                        + CERTIFICATE.pem());
        for (String variable : List.of("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")) {
            hub.name = "localhost:" + hub.port();
            Pulling p = pulling("HOME", dir.toString(), variable, "~/bundle é.pem");
            assertEquals(106_000, p.plan("org/tiny").total());
        }
        // as everywhere in TLS, the token goes to the endpoint
        Set<String> tokens =
                hub.requests.stream().map(r -> r.headers().get("authorization")).collect(Collectors.toSet());
        assertEquals(Set.of("Bearer " + Pulling.SECRET), tokens);
    }

    @Test
    void certificatesOfNobodyKnown() {
        fails(
                pulling(),
                "https://127.0.0.1:",
                "its certificate comes from nobody who is trusted here (the authorities that Java knows)",
                "SSL_CERT_FILE",
                "TILLER_JAVA_OPTS=-Djavax.net.ssl.trustStore=FILE");
        Path file = TestCertificate.of("other.example").pem(dir);
        fails(pulling("SSL_CERT_FILE", file.toString()), "nobody who is trusted here (SSL_CERT_FILE " + file + ")");
    }

    @Test
    void certificatesOfAnotherHost() {
        Path file = CERTIFICATE.pem(dir);
        fails(pulling("SSL_CERT_FILE", file.toString()), "its certificate is not accepted (", "127.0.0.1");
    }

    @Test
    void certificatesOfAnotherTime() {
        for (Throwable reason :
                List.of(new CertificateExpiredException("NotAfter: x"), new CertificateNotYetValidException("y"))) {
            SSLHandshakeException e = new SSLHandshakeException("PKIX path validation failed");
            e.initCause(new CertPathValidatorException("validity check failed", reason));
            String says = HubTrust.complaint(e, Optional.empty()).orElseThrow();
            assertTrue(
                    says.matches("its certificate (has expired \\(NotAfter: x\\)|is not valid yet, .* \\(y\\))"), says);
        }
        SSLHandshakeException other = new SSLHandshakeException("handshake_failure");
        assertTrue(HubTrust.complaint(other, Optional.empty()).isEmpty());
    }

    @Test
    void filesThatHoldNoCertificates() throws IOException {
        for (String[] c : new String[][] {
            {dir.resolve("none").toString(), "found no such file"},
            {dir.toString(), "expected certificates in PEM"},
            {
                Files.writeString(dir.resolve("a"), "-----BEGIN CERTIFICATE-----\nAAAA\n")
                        .toString(),
                "found none in it"
            },
            {Files.write(dir.resolve("b"), new byte[5 << 20]).toString(), "found larger than"}
        }) {
            fails(pulling("SSL_CERT_FILE", c[0]), "SSL_CERT_FILE " + c[0], c[1]);
        }
        assertThrows(TillerException.class, () -> HubTrust.of(Map.of("SSL_CERT_FILE", "~other/x")));
        assertTrue(HubTrust.of(Map.of("SSL_CERT_FILE", " ")).isEmpty());
        System.setProperty("javax.net.ssl.trustStore", dir.resolve("store").toString());
        try {
            assertTrue(HubTrust.of(Map.of("SSL_CERT_FILE", "x")).isEmpty(), "Java's own switch goes before");
        } finally {
            System.clearProperty("javax.net.ssl.trustStore");
        }
        assertTrue(HubTrust.of(Map.of("SSL_CERT_FILE", "x")).isPresent());
    }

    /** What a server without TLS says to one that begins with it. */
    @Test
    void serversThatSpeakNoTls() throws IOException {
        try (ServerSocket server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
            AtomicReference<String> answer = new AtomicReference<>("HTTP/1.1 400 Bad Request\r\n\r\n");
            Thread.ofVirtual().start(() -> {
                while (true) {
                    try (Socket client = server.accept()) {
                        client.getInputStream().read(new byte[100]);
                        client.getOutputStream().write(answer.get().getBytes(StandardCharsets.US_ASCII));
                    } catch (IOException e) {
                        return; // closed
                    }
                }
            });
            hub.name = "localhost:" + server.getLocalPort();
            Pulling p = pulling();
            p.fails("org/tiny", "https://" + hub.name, "it does not answer in TLS; is its address one with http://?");
            assertEquals(List.of(), p.waits);
            answer.set(""); // one that breaks off may do better the next time
            p.attempts = 2;
            p.fails("org/tiny", "https://" + hub.name, "after 2 tries");
            assertEquals(1, p.waits.size());
        }
    }
}
