package io.elder.fetch.aws;

import io.elder.fetch.Provider;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.HttpProviderContract;
import io.elder.fetch.testkit.ScriptedServer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.services.iam.model.NoSuchEntityException;

/** The contract, against answers in AWS's own form; {@code answers/SOURCE.txt} says where they are from. */
class AwsProviderTest extends HttpProviderContract<AwsClient> {
    @Override
    protected Provider<AwsClient> provider() {
        return new AwsProvider();
    }

    @Override
    protected Map<String, String> settings(String url) {
        return Map.of(
                "AWS_ENDPOINT_URL",
                url,
                "AWS_ACCESS_KEY_ID",
                "ASIAIOSFODNN7EXAMPLE",
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                "AWS_SESSION_TOKEN",
                "FwoGZXIvYXdzEXAMPLETOKEN",
                "AWS_REGIONS",
                "us-east-1");
    }

    @Override
    protected Set<String> secrets() {
        return Set.of(
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                "FwoGZXIvYXdzEXAMPLETOKEN",
                // In the answers: what must never leave the fetcher.
                "canary-master-password",
                "canary-function-password",
                "canary-log-token",
                "canary-origin-header");
    }

    @Override
    protected void script(ScriptedServer aws) {
        AwsAnswers.script(aws);
    }

    @Override
    protected Map<String, Integer> expected() {
        Map<String, Integer> expected = new HashMap<>();
        provider().resources().forEach(row -> expected.put(row.kind(), 1));
        expected.putAll(AwsAnswers.MORE_THAN_ONE);
        return expected;
    }

    @Override
    protected List<Answer> throttles() {
        return List.of(
                error(503, "RequestLimitExceeded", "Request limit exceeded."),
                error(400, "Throttling", "Rate exceeded"),
                error(503, "RequestLimitExceeded", "Request limit exceeded.").header("Retry-After", "7"));
    }

    @Override
    protected Answer unauthorized() {
        return error(401, "AuthFailure", "AWS was not able to validate the provided access credentials");
    }

    @Override
    protected Answer forbidden() {
        return error(403, "UnauthorizedOperation", "You are not authorized to perform this operation.");
    }

    @Override
    protected Answer notFound() {
        return error(404, "NoSuchEntity", "It does not exist.");
    }

    @Override
    protected List<String> saying(String text) {
        String xml = xml(text);
        return List.of(
                error(400, "Failed", xml).body(),
                "<ErrorResponse><Error><Type>Sender</Type><Code>Failed</Code><Message>%s</Message></Error></ErrorResponse>"
                        .formatted(xml),
                "<Error><Code>Failed</Code><Message>%s</Message></Error>".formatted(xml),
                super.saying(text).getFirst());
    }

    @Override
    protected Optional<Answer> expired() {
        return Optional.of(error(400, "RequestExpired", "Request has expired."));
    }

    @Override
    protected Optional<Exception> gone() {
        return Optional.of(NoSuchEntityException.builder()
                .statusCode(404)
                .awsErrorDetails(
                        AwsErrorDetails.builder().errorCode("NoSuchEntity").build())
                .build());
    }

    /** The SDK's classes hold what this version of it knows. */
    @Override
    protected boolean keepsUnknownFields() {
        return false;
    }

    /** In EC2's form, and in that of the services that are asked like STS. */
    private static Answer error(int status, String code, String message) {
        String error = "<Error><Code>%s</Code><Message>%s</Message></Error>".formatted(code, message);
        return Answer.of(
                        status,
                        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors>%s</Errors>%s<RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>"
                                .formatted(error, error))
                .header("Content-Type", "text/xml;charset=UTF-8");
    }
}
