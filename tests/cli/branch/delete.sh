pcv create repo d
pcv create branch d@b
pcv delete branch d@b
pcv delete branch d@b
pcv list branch d
