import Analysis
import Testing

// Expectations by scipy 1.x: scipy.stats.t.ppf(probability, freedom).
@Test(arguments: [
    (0.6, 1, 0.32491969623290634), (0.6, 5, 0.2671808657041451), (0.9, 2, 1.8856180831641272),
    (0.9, 29, 1.311433647301551), (0.975, 1, 12.706204736174694), (0.975, 2, 4.302652729749462),
    (0.975, 3, 3.1824463052837078), (0.975, 5, 2.5705818356363146), (0.975, 10, 2.228138851986274),
    (0.975, 29, 2.045229642132703), (0.975, 100, 1.9839715185235518), (0.975, 999, 1.9623414611334493),
    (0.975, 100_000, 1.9599877075346095), (0.995, 3, 5.840909309733355), (0.9999, 1, 3183.098757118502),
    (0.9999, 10, 5.693820101457592), (0.9999, 100_000, 3.7191543826413724),
])
func `a quantile of Student's t is what scipy says`(probability: Double, freedom: Int, expected: Double) {
    let found = StudentT.quantile(probability, degreesOfFreedom: freedom)
    #expect(abs(found - expected) <= 1e-9 * expected)
    let mirrored = StudentT.quantile(1 - probability, degreesOfFreedom: freedom)
    #expect(abs(mirrored + expected) <= 1e-9 * expected)
}

@Test func `a quantile that does not exist is not a number`() {
    #expect(StudentT.quantile(0, degreesOfFreedom: 3).isNaN)
    #expect(StudentT.quantile(1, degreesOfFreedom: 3).isNaN)
    #expect(StudentT.quantile(0.5, degreesOfFreedom: 0).isNaN)
    #expect(StudentT.quantile(0.5, degreesOfFreedom: 4) == 0)
}
