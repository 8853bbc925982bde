package dev.tiller.loader.hub;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/** A certificate that nobody but itself has signed, from the JDK's own tool. */
final class TestCertificate {
    private static final char[] PASSWORD = "changeit".toCharArray();

    /** The tool takes a second. */
    private static final Map<List<String>, TestCertificate> MADE = new ConcurrentHashMap<>();

    private final KeyStore store;

    private TestCertificate(KeyStore store) {
        this.store = store;
    }

    /** For these host names. */
    static TestCertificate of(String... names) {
        return MADE.computeIfAbsent(List.of(names), TestCertificate::make);
    }

    private static TestCertificate make(List<String> names) {
        try {
            Path folder = Files.createTempDirectory("tiller-certificate");
            Path file = folder.resolve("store.p12");
            try {
                keytool(file, names);
                KeyStore store = KeyStore.getInstance("PKCS12");
                try (InputStream in = Files.newInputStream(file)) {
                    store.load(in, PASSWORD);
                }
                return new TestCertificate(store);
            } finally {
                Files.deleteIfExists(file);
                Files.delete(folder);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    private static void keytool(Path file, List<String> names) throws IOException {
        String san = names.stream().map(n -> "dns:" + n).collect(Collectors.joining(","));
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
        String options = "-genkeypair -keyalg EC -groupname secp256r1 -dname CN=" + names.getFirst()
                + " -validity 2 -storetype PKCS12";
        command.addAll(List.of(options.split(" ")));
        command.addAll(List.of("-ext", "san=" + san, "-storepass", new String(PASSWORD), "-keystore", file.toString()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (process.waitFor() != 0) {
                throw new AssertionError("keytool: " + said);
            }
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** For a server that has it. */
    SSLContext server() {
        try {
            KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            keys.init(store, PASSWORD);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(keys.getKeyManagers(), null, null);
            return context;
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    /** In PEM, as administrators hand it out. */
    String pem() {
        try {
            byte[] der = store.getCertificate(store.aliases().nextElement()).getEncoded();
            return "-----BEGIN CERTIFICATE-----\n"
                    + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der)
                    + "\n-----END CERTIFICATE-----\n";
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    /** A file of it. */
    Path pem(Path folder) {
        try {
            return Files.writeString(folder.resolve("trusted.pem"), pem());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
