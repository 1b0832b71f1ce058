package io.elder.fetch.lxd;

import io.elder.estate.Company;
import io.elder.estate.SimulatedLxd;
import io.elder.fetch.Provider;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.HttpProviderContract;
import io.elder.fetch.testkit.ScriptedServer;
import java.util.List;
import java.util.Map;
import java.util.Set;

class LxdProviderTest extends HttpProviderContract<LxdClient> {
    @Override
    protected Provider<LxdClient> provider() {
        return new LxdProvider();
    }

    @Override
    protected Map<String, String> settings(String url) {
        if (!url.startsWith("https:")) {
            return LxdVendor.settings(url);
        }
        // Over TLS a client has a certificate: anybody's serves to be refused.
        try (SimulatedLxd other = new SimulatedLxd(new Company())) {
            return Map.of(
                    "LXD_URL",
                    url,
                    "LXD_CERT",
                    other.settings().get("LXD_CERT"),
                    "LXD_KEY",
                    other.settings().get("LXD_KEY"));
        }
    }

    @Override
    protected boolean isToldSecrets() {
        return false;
    }

    @Override
    protected Set<String> secrets() {
        return LxdVendor.secrets();
    }

    @Override
    protected void script(ScriptedServer vendor) {
        LxdVendor.script(vendor);
    }

    @Override
    protected Map<String, Integer> expected() {
        return LxdVendor.EXPECTED;
    }

    /** LXD itself never throttles; what stands before it may. */
    @Override
    protected List<Answer> throttles() {
        return List.of(Answer.of(429).header("Retry-After", "7"), Answer.of(503).header("Retry-After", "2"));
    }

    /** LXD says 403 to whoever it does not trust, and to whoever may not do something. */
    @Override
    protected Answer unauthorized() {
        return LxdVendor.error(403, "not authorized");
    }

    @Override
    protected Answer forbidden() {
        return LxdVendor.error(403, "Certificate is restricted");
    }

    @Override
    protected Answer notFound() {
        return LxdVendor.error(404, "not found");
    }

    /** A page is what a project has. */
    @Override
    protected boolean hasCursors() {
        return false;
    }
}
